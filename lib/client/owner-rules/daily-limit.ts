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

/** The contents of the record file: a day, and how many bytes left the site on that day. */
const DayTotal = z.object({
  day: z.string(),
  bytes: z.int().transform((bytes) => Math.max(0, bytes)),
});
type DayTotal = z.infer<typeof DayTotal>;

/** Bytes that a request may send, already counted against the limit of a day. */
export interface Reservation {
  bytes: number;
  /** Releases unused bytes of this reservation, so that other requests can use them. */
  giveBack(unused: number): Promise<void>;
}

export interface DailyLimitOptions {
  stateDir: string;
  /** Maximum number of bytes that may leave the site in a day. */
  limit: number;
  logger: Logger;
  /** Returns the current time; by default the time of the system clock. */
  now?: () => Date;
}

/**
 * Limits the bytes of files that leave the site in a day, by the site's own clock. Bytes are counted in a
 * file on the disk before they are sent, so that the limit is kept even across a crash or restart.
 */
export class DailyLimit {
  readonly #saving = new SerialQueue();

  private constructor(
    private readonly path: string,
    private readonly limit: number,
    private sent: DayTotal,
    private readonly now: () => Date,
  ) {}

  /**
   * Reads the record of the bytes that left today. If the record cannot be read, the limit counts as used up,
   * so that nothing more leaves today.
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
   * Reserves bytes of today's limit, and records the reservation on the disk.
   * @param bytes 0 or more
   * @throws FdsError `access_denied` when the rest of the daily limit is too small, or when the reservation
   *   cannot be recorded
   */
  async reserve(bytes: number): Promise<Reservation> {
    const today = dayOf(this.now());
    if (this.sent.day !== today) this.sent = { day: today, bytes: 0 };
    const remaining = this.limit - this.sent.bytes;
    if (!(bytes >= 0 && bytes <= remaining)) {
      const message = `the site lets ${formatSize(this.limit)} a day leave, ${formatSize(Math.max(0, remaining))} are left, the file needs ${formatSize(bytes)}`;
      throw new FdsError("access_denied", message);
    }
    // Keeps the record of this day, because `this.sent` is replaced after midnight. Unused bytes are given
    // back to the day on which they were reserved.
    const { sent } = this;
    sent.bytes += bytes;
    try {
      await this.#save();
    } catch (cause) {
      sent.bytes -= bytes;
      throw recordingError(cause);
    }
    return {
      bytes,
      giveBack: async (unused) => {
        sent.bytes -= unused;
        // A failed write is ignored. The file then states more bytes than were sent, which only makes the
        // limit stricter.
        await this.#save().catch(() => undefined);
      },
    };
  }

  /**
   * Writes the record to the disk. Writes are made one after the other, so that the last one has the latest
   * state.
   */
  #save(): Promise<void> {
    return this.#saving.run(() => writeFileDurably(this.path, JSON.stringify(this.sent), 0o600));
  }
}

/**
 * Reads the record of sent bytes.
 * @throws Error if the file cannot be read and was written today; a broken file of an earlier day counts as
 *   empty
 */
async function load(path: string, today: string): Promise<DayTotal> {
  const nothing = { day: today, bytes: 0 };
  try {
    return DayTotal.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return nothing;
    if (dayOf((await stat(path)).mtime) === today) throw error;
    return nothing;
  }
}

/**
 * Returns the error for a reservation that cannot be recorded. Sending the bytes anyway could exceed the
 * limit.
 */
function recordingError(cause: unknown): FdsError {
  const why =
    systemCode(cause) === "ENOSPC"
      ? "the disk of its state folder is full"
      : `its state folder cannot be written (${systemCode(cause) ?? String(cause)})`;
  const message = `the site cannot record what leaves in a day, so nothing does: ${why}`;
  return new FdsError("access_denied", message, { cause });
}

/** Returns the local date, such as `2026-01-31`. */
function dayOf(date: Date): string {
  const twoDigits = (number: number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
}
