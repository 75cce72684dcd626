import { Failure } from "../program.ts";

/*
 * Reads tar archives of sets (POSIX.1-2001, "pax"). If the path or size of a file does not fit into the
 * file's header, an extended header with the whole path or size precedes it.
 */

/** The size of a block of a tar archive, in bytes. */
const BLOCK = 512;
/** The largest extended header that is accepted, in bytes. A path has at most 4,096 bytes. */
const MAX_EXTENDED = 64 * 1024;

/** The header of a file in a tar archive. */
export interface TarFile {
  path: string;
  /** The size of the file in bytes. */
  size: number;
}

/** Reads a tar archive that arrives in pieces of any size. */
export class TarReader {
  /** Received bytes that have not been read yet. */
  #buffered: Uint8Array = new Uint8Array(0);
  /** The number of unread bytes of the current file, and of the zeros that pad it to whole blocks. */
  #unread = { file: 0, padding: 0 };

  constructor(private readonly pieces: AsyncGenerator<Uint8Array>) {}

  /**
   * Moves to the next file, and returns its header.
   * @returns null at the end of the archive
   * @throws Failure where the bytes are not a tar archive of files
   */
  async next(): Promise<TarFile | null> {
    for await (const _ of this.data()); // skips the rest of the current file
    await this.#take(this.#unread.padding);
    let extended: Partial<TarFile> | null = null;
    for (;;) {
      const header = await this.#take(BLOCK);
      if (header.every((byte) => byte === 0)) return null;
      const size = parseInt(textOf(header, 124, 12), 8);
      const type = textOf(header, 156, 1);
      if (!Number.isSafeInteger(size) || size < 0) throw archiveFailure();
      if (type === "x") {
        if (extended || size > MAX_EXTENDED) throw archiveFailure();
        extended = recordsOf(await this.#take(size));
        await this.#take(paddingOf(size));
        continue;
      }
      if (type !== "0") throw archiveFailure();
      const file = { path: textOf(header, 0, 100), size, ...extended };
      this.#unread = { file: file.size, padding: paddingOf(file.size) };
      return file;
    }
  }

  /** Yields the unread bytes of the current file. */
  async *data(): AsyncGenerator<Uint8Array> {
    while (this.#unread.file > 0) {
      if (this.#buffered.length === 0) await this.#fill();
      const piece = this.#buffered.subarray(0, this.#unread.file);
      this.#buffered = this.#buffered.subarray(piece.length);
      this.#unread.file -= piece.length;
      yield piece;
    }
  }

  /** Closes the source of the archive without reading the rest. */
  async close(): Promise<void> {
    await this.pieces.return(undefined);
  }

  async #take(length: number): Promise<Uint8Array> {
    while (this.#buffered.length < length) await this.#fill();
    const taken = this.#buffered.subarray(0, length);
    this.#buffered = this.#buffered.subarray(length);
    return taken;
  }

  async #fill(): Promise<void> {
    const { done, value } = await this.pieces.next();
    if (done) throw archiveFailure();
    this.#buffered = this.#buffered.length === 0 ? value : Buffer.concat([this.#buffered, value]);
  }
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function textOf(header: Uint8Array, offset: number, length: number): string {
  const bytes = header.subarray(offset, offset + length);
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("utf8");
}

/**
 * Parses an extended header. Each record is `LENGTH key=value` and a newline, where LENGTH is the number of
 * bytes of the whole record.
 */
function recordsOf(bytes: Uint8Array): Partial<TarFile> {
  const found: Partial<TarFile> = {};
  for (let offset = 0; offset < bytes.length;) {
    const space = bytes.indexOf(0x20, offset);
    const length = Number(Buffer.from(bytes.subarray(offset, Math.max(offset, space))).toString());
    const isRecord = space > offset && Number.isInteger(length) && length > space - offset;
    if (!isRecord || offset + length > bytes.length) {
      throw archiveFailure();
    }
    const record = Buffer.from(bytes.subarray(space + 1, offset + length - 1)).toString("utf8");
    const equals = record.indexOf("=");
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === "path") found.path = value;
    if (key === "size") found.size = sizeOf(value);
    offset += length;
  }
  return found;
}

function sizeOf(text: string): number {
  const size = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(size)) return size;
  throw archiveFailure();
}

function archiveFailure(): Failure {
  return new Failure("look at the server: what it sends is not the archive of the set");
}
