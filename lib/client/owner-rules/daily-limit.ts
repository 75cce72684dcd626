import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { FdsError } from "../../protocol/errors.ts";
import { writeFileDurably } from "../../util/durable.ts";
import type { Logger } from "../../util/logger.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import { formatSize } from "../../util/sizes.ts";
import { systemCode } from "../../util/system-error.ts";

const FILE = "sent-today.json";

/** What was sent on a day, as it is kept in the state folder. */
const Sent = z.object({ day: z.string(), bytes: z.int().transform((bytes) => Math.max(0, bytes)) });
type Sent = z.infer<typeof Sent>;

/** Bytes that may leave, taken of a day's. */
export interface Reservation {
  bytes: number;
  /** Gives bytes of it back that did not leave. */
  giveBack(unused: number): Promise<void>;
}

export interface DailyLimitOptions {
  stateDir: string;
  /** Bytes a day. */
  limit: number;
  logger: Logger;
  /** The site's clock. */
  now?: () => Date;
}

/**
 * The most bytes of files that leave a site in a day of its own clock. What leaves is reserved
 * before, and that is on the disk before it is sent: neither a crash nor a restart lets more out.
 */
export class DailyLimit {
  readonly #saving = new SerialQueue();

  private constructor(
    private readonly path: string,
    private readonly limit: number,
    private sent: Sent,
    private readonly now: () => Date,
  ) {}

  /** Where the record cannot be read, all of today's bytes count as sent, so nothing more leaves today. */
  static async open({
    stateDir,
    limit,
    logger,
    now = () => new Date(),
  }: DailyLimitOptions): Promise<DailyLimit> {
    const path = join(stateDir, FILE);
    const today = dayOf(now());
    const sent = await load(path, today).catch((error: unknown) => {
      const message = `"${path}" does not say what left today, so nothing more will: remove it to begin at 0`;
      logger.error(message, { why: String(error) });
      return { day: today, bytes: limit };
    });
    return new DailyLimit(path, limit, sent, now);
  }

  /**
   * @param bytes 0 or more
   * @throws FdsError `access_denied` when that is more than is left of the day's bytes, or cannot be
   *   recorded
   */
  async reserve(bytes: number): Promise<Reservation> {
    const today = dayOf(this.now());
    if (this.sent.day !== today) this.sent = { day: today, bytes: 0 };
    const left = this.limit - this.sent.bytes;
    if (!(bytes >= 0 && bytes <= left)) {
      const message = `the site lets ${formatSize(this.limit)} a day leave, ${formatSize(Math.max(0, left))} are left, the file needs ${formatSize(bytes)}`;
      throw new FdsError("access_denied", message);
    }
    // A new day owes nothing to the old one.
    const { sent } = this;
    sent.bytes += bytes;
    try {
      await this.#save();
    } catch (cause) {
      sent.bytes -= bytes;
      throw cannotRecord(cause);
    }
    return {
      bytes,
      giveBack: async (unused) => {
        sent.bytes -= unused;
        // What stays on the disk is more than what left, until the next time that it can be written.
        await this.#save().catch(() => undefined);
      },
    };
  }

  /** One writing at a time, so that the last one says what is so. */
  #save(): Promise<void> {
    return this.#saving.run(() => writeFileDurably(this.path, JSON.stringify(this.sent), 0o600));
  }
}

/** @throws Error when the record of today cannot be read; one of another day does not matter */
async function load(path: string, today: string): Promise<Sent> {
  const nothing = { day: today, bytes: 0 };
  try {
    return Sent.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return nothing;
    if (dayOf((await stat(path)).mtime) === today) throw error;
    return nothing;
  }
}

/** The error where the day's bytes cannot be recorded: without the record, the limit could not be kept. */
function cannotRecord(cause: unknown): FdsError {
  const why =
    systemCode(cause) === "ENOSPC"
      ? "the disk of its state folder is full"
      : `its state folder cannot be written (${systemCode(cause) ?? String(cause)})`;
  const message = `the site cannot record what leaves in a day, so nothing does: ${why}`;
  return new FdsError("access_denied", message, { cause });
}

/** `2026-01-31`, by the clock of the site. */
function dayOf(date: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
