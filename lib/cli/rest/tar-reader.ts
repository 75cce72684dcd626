import { Failure } from "../program.ts";

/*
 * Reads the tar archives that the server makes of sets (POSIX.1-2001, "pax"): files, with extended headers
 * for paths and sizes that do not fit into a plain one.
 */

const BLOCK = 512;
/** Most bytes of an extended header; paths have 4,096 at most. */
const MAX_EXTENDED = 64 * 1024;

/** A file in an archive. */
export interface TarFile {
  path: string;
  /** Bytes. */
  size: number;
}

/** A tar archive that is read piece by piece. */
export class TarReader {
  /** Bytes that arrived and were not read yet. */
  #left: Uint8Array = new Uint8Array(0);
  /** Unread bytes of the current file, and of the zeros after it. */
  #unread = { file: 0, padding: 0 };

  constructor(private readonly pieces: AsyncGenerator<Uint8Array>) {}

  /** The next file; null at the end. @throws Failure for anything but an archive of files */
  async next(): Promise<TarFile | null> {
    for await (const _ of this.data()); // what nobody read of the file before
    await this.#take(this.#unread.padding);
    let extended: Partial<TarFile> | null = null;
    for (;;) {
      const header = await this.#take(BLOCK);
      if (header.every((byte) => byte === 0)) return null;
      const size = parseInt(textOf(header, 124, 12), 8);
      const type = textOf(header, 156, 1);
      if (!Number.isSafeInteger(size) || size < 0) throw noArchive();
      if (type === "x") {
        if (extended || size > MAX_EXTENDED) throw noArchive();
        extended = recordsOf(await this.#take(size));
        await this.#take(paddingOf(size));
        continue;
      }
      if (type !== "0") throw noArchive();
      const file = { path: textOf(header, 0, 100), size, ...extended };
      this.#unread = { file: file.size, padding: paddingOf(file.size) };
      return file;
    }
  }

  /** The bytes of the current file that were not read yet. */
  async *data(): AsyncGenerator<Uint8Array> {
    while (this.#unread.file > 0) {
      if (this.#left.length === 0) await this.#fill();
      const piece = this.#left.subarray(0, this.#unread.file);
      this.#left = this.#left.subarray(piece.length);
      this.#unread.file -= piece.length;
      yield piece;
    }
  }

  /** Closes it, without reading the rest. */
  async close(): Promise<void> {
    await this.pieces.return(undefined);
  }

  async #take(length: number): Promise<Uint8Array> {
    while (this.#left.length < length) await this.#fill();
    const taken = this.#left.subarray(0, length);
    this.#left = this.#left.subarray(length);
    return taken;
  }

  async #fill(): Promise<void> {
    const { done, value } = await this.pieces.next();
    if (done) throw noArchive();
    this.#left = this.#left.length === 0 ? value : Buffer.concat([this.#left, value]);
  }
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function textOf(header: Uint8Array, at: number, length: number): string {
  const bytes = header.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("utf8");
}

/**
 * The fields of an extended header: `LENGTH key=value
 * `, where the length includes itself.
 */
function recordsOf(bytes: Uint8Array): Partial<TarFile> {
  const found: Partial<TarFile> = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(Buffer.from(bytes.subarray(at, Math.max(at, space))).toString());
    const isRecord = space > at && Number.isInteger(length) && length > space - at;
    if (!isRecord || at + length > bytes.length) {
      throw noArchive();
    }
    const record = Buffer.from(bytes.subarray(space + 1, at + length - 1)).toString("utf8");
    const equals = record.indexOf("=");
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === "path") found.path = value;
    if (key === "size") found.size = sizeOf(value);
    at += length;
  }
  return found;
}

function sizeOf(text: string): number {
  const size = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(size)) return size;
  throw noArchive();
}

function noArchive(): Failure {
  return new Failure("look at the server: what it sends is not the archive of the set");
}
