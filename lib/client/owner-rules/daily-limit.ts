import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { FdsError } from "../../protocol/errors.ts";
import { writeFileDurably } from "../../util/durable.ts";
import { formatSize } from "../../util/sizes.ts";
import { systemCode } from "../../util/system-error.ts";

/** What was sent on a day, as it is kept in the state folder. */
const Sent = z.object({ day: z.string(), bytes: z.int().min(0) });
type Sent = z.infer<typeof Sent>;

/** Bytes that one file may take of a day's. */
export interface Reservation {
  /** Gives back what was not sent. @param sent bytes of the file that were */
  end(sent: number): Promise<void>;
}

/**
 * The most bytes of files that leave a site in a day of its own clock. A file takes its share
 * before its first byte, and that is on the disk before it is sent: neither a crash nor a restart
 * lets more out.
 */
export class DailyLimit {
  #saving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly path: string,
    private readonly limit: number,
    private sent: Sent,
    private readonly now: () => Date,
  ) {}

  /**
   * @param limit bytes a day
   * @throws Error when what is kept in the folder cannot be read
   */
  static async open(
    stateDir: string,
    limit: number,
    now: () => Date = () => new Date(),
  ): Promise<DailyLimit> {
    const path = join(stateDir, "sent-today.json");
    return new DailyLimit(path, limit, (await load(path)) ?? { day: dayOf(now()), bytes: 0 }, now);
  }

  /** @throws FdsError `access_denied` when the file is more than is left of the day's bytes */
  async reserve(bytes: number): Promise<Reservation> {
    const today = dayOf(this.now());
    if (this.sent.day !== today) this.sent = { day: today, bytes: 0 };
    const left = this.limit - this.sent.bytes;
    if (bytes > left) {
      const message = `the site lets ${formatSize(this.limit)} a day leave, ${formatSize(Math.max(0, left))} are left, the file needs ${formatSize(bytes)}`;
      throw new FdsError("access_denied", message);
    }
    const { sent } = this;
    sent.bytes += bytes;
    await this.#save();
    return {
      end: async (used) => {
        // What was sent twice counts twice, and a new day owes nothing to the old one.
        sent.bytes += used - bytes;
        await this.#save();
      },
    };
  }

  /** One writing at a time, so that the last one says what is so. */
  #save(): Promise<void> {
    const write = () => writeFileDurably(this.path, JSON.stringify(this.sent), 0o600);
    this.#saving = this.#saving.then(write, write);
    return this.#saving;
  }
}

async function load(path: string): Promise<Sent | null> {
  try {
    return Sent.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return null;
    throw new Error(`remove "${path}": it does not say what was sent today`, { cause });
  }
}

/** `2026-01-31`, by the clock of the site. */
function dayOf(date: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
