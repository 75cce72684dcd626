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

/** What was sent on a day, as the state folder keeps it. */
const Sent = z.object({ day: z.string(), bytes: z.int().transform((bytes) => Math.max(0, bytes)) });
type Sent = z.infer<typeof Sent>;

/** Bytes that may leave, counted for a day. */
export interface Reservation {
  bytes: number;
  /** Gives back bytes that did not leave. */
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
 * The most bytes of files that may leave a site in a day of its own clock. Bytes are reserved, and recorded
 * on the disk, before they are sent, so neither a crash nor a restart lets more out.
 */
export class DailyLimit {
  readonly #saving = new SerialQueue();

  private constructor(
    private readonly path: string,
    private readonly limit: number,
    private sent: Sent,
    private readonly now: () => Date,
  ) {}

  /**
   * Opens the record. Where it cannot be read, today's limit counts as used up, so nothing more leaves
   * today.
   */
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
   * @throws FdsError `access_denied` when that is more than is left for the day, or cannot be recorded
   */
  async reserve(bytes: number): Promise<Reservation> {
    const today = dayOf(this.now());
    if (this.sent.day !== today) this.sent = { day: today, bytes: 0 };
    const left = this.limit - this.sent.bytes;
    if (!(bytes >= 0 && bytes <= left)) {
      const message = `the site lets ${formatSize(this.limit)} a day leave, ${formatSize(Math.max(0, left))} are left, the file needs ${formatSize(bytes)}`;
      throw new FdsError("access_denied", message);
    }
    // A reservation of an earlier day no longer counts.
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
        // Until the next write that works, the disk says more than what left, which is safe.
        await this.#save().catch(() => undefined);
      },
    };
  }

  /** Writes one after the other, so that the last one is current. */
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

/** The error where bytes cannot be recorded: without the record, the limit could not be kept. */
function cannotRecord(cause: unknown): FdsError {
  const why =
    systemCode(cause) === "ENOSPC"
      ? "the disk of its state folder is full"
      : `its state folder cannot be written (${systemCode(cause) ?? String(cause)})`;
  const message = `the site cannot record what leaves in a day, so nothing does: ${why}`;
  return new FdsError("access_denied", message, { cause });
}

/** The local date, such as `2026-01-31`. */
function dayOf(date: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
