import { FdsError } from "../../protocol/errors.ts";
import type { FrameOutlet } from "./frame-outlet.ts";
import { PackedBlocks } from "./packed-blocks.ts";
import type { FoundFile } from "./walk.ts";

/**
 * Maximum number of bytes of a manifest. The client keeps the manifest in memory until the server has all of
 * it.
 */
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;
/** Characters of manifest lines that are collected before they are sent. */
const FLUSH_AT = 64 * 1024;
/**
 * Characters that are collected before the first lines are sent. They are few, so that the server records the
 * first files while the client still looks for others. The number doubles up to {@link FLUSH_AT}.
 */
const FIRST_FLUSH_AT = 4 * 1024;

/** The server's limits for a set. */
export interface SetLimits {
  maxFiles: number;
  /** Maximum number of bytes of all files together; undefined for no limit. */
  maxBytes: number | undefined;
}

/**
 * Sends lines of JSON as the bytes of a stream. It keeps a copy of all lines, because the server may ask for
 * some bytes again.
 */
export class LineSender {
  readonly #blocks = new PackedBlocks();
  #lines = "";
  /** Characters of lines that are collected before the next block of lines is sent. */
  #flushAt = FIRST_FLUSH_AT;
  #sending: Promise<void> | undefined;

  constructor(
    private readonly outlet: FrameOutlet,
    private readonly isWanted: () => boolean,
  ) {}

  /** The number of bytes in all lines that were flushed so far. */
  get length(): number {
    return this.#blocks.length;
  }

  /**
   * Adds an object as a line of JSON.
   * @throws FdsError `too_many_files` when all lines together are too long
   */
  async add(line: object): Promise<void> {
    this.#lines += `${JSON.stringify(line)}\n`;
    if (this.#lines.length < this.#flushAt) return;
    await this.flush();
    this.#flushAt = Math.min(2 * this.#flushAt, FLUSH_AT);
  }

  /** Sends the collected lines. */
  async flush(): Promise<void> {
    const block = Buffer.from(this.#lines);
    this.#lines = "";
    if (this.length + block.length > MAX_MANIFEST_BYTES) {
      throw new FdsError("too_many_files", "the paths of the files are too long for one set");
    }
    this.#blocks.add(block);
    await this.sendRest();
  }

  /**
   * Sends the lines from the stream's current offset on. A call during another call returns the same promise.
   */
  sendRest(): Promise<void> {
    this.#sending ??= this.#sendRest().finally(() => (this.#sending = undefined));
    return this.#sending;
  }

  async #sendRest(): Promise<void> {
    while (this.outlet.offset < this.length) {
      const room = await this.outlet.waitForCredit(1, this.isWanted);
      if (room === 0) return;
      const { body, offset } = this.outlet;
      const length = this.#blocks.copy(offset, body.subarray(0, room));
      await this.outlet.send(body.subarray(0, length));
    }
  }
}

/** Counts the files and bytes of a set, and throws once a limit is exceeded. */
export class SetTally {
  #files = 0;
  #bytes = 0;

  constructor(private readonly limits: SetLimits) {}

  /** Counts a file. @throws FdsError `too_many_files` or `set_too_large` */
  add(found: FoundFile): void {
    const { maxFiles, maxBytes } = this.limits;
    this.#files++;
    if (found.skipped === undefined) this.#bytes += found.size;
    if (this.#files > maxFiles) {
      throw new FdsError("too_many_files", `the patterns name over ${maxFiles} files`);
    }
    if (!Number.isSafeInteger(this.#bytes)) {
      throw new FdsError("set_too_large", "the files have more bytes than can be counted");
    }
    if (maxBytes !== undefined && this.#bytes > maxBytes) {
      throw new FdsError("set_too_large", `the files have over ${maxBytes} bytes`);
    }
  }
}

/** Returns a file's line of the manifest, as an object for JSON. */
export function manifestLine({ path, root, size, mtimeNs, skipped }: FoundFile): object {
  return { path, root, size, mtime_ns: mtimeNs, ...(skipped && { skipped }) };
}
