/*
 * Writes the tar format (POSIX.1-2001, "pax") for plain files: a header of 512 bytes, the file's bytes, and
 * zeros up to the next multiple of 512. A long or non-ASCII path, or a size over 8 GiB, does not fit into the
 * header and is written to an extended header before it.
 */

const BLOCK = 512;
/** Largest file size, in bytes, that fits into eleven octal digits. */
const MAX_OCTAL_SIZE = 8 ** 11 - 1;
const MODE = 0o644;

/** A file in a tar archive. */
export interface TarEntry {
  /** Path relative to the archive, separated by `/`. */
  path: string;
  /** Size in bytes. */
  size: number;
  /** Time of the last modification, in seconds since 1970. */
  mtime: number;
}

/** Returns the tar header of a file, preceded by an extended header if needed. */
export function tarHeader({ path, size, mtime }: TarEntry): Uint8Array {
  const isPlain = /^[\x20-\x7e]{1,100}$/.test(path);
  const records: string[] = [];
  if (!isPlain) records.push(paxRecord("path", path));
  if (size > MAX_OCTAL_SIZE) records.push(paxRecord("size", String(size)));
  const name = isPlain ? path : "file";
  const plain = block({ name, size: Math.min(size, MAX_OCTAL_SIZE), mtime, type: "0" });
  if (records.length === 0) return plain;
  const body = Buffer.from(records.join(""));
  const extended = block({ name: "PaxHeader", size: body.length, mtime, type: "x" });
  return Buffer.concat([extended, body, tarPadding(body.length), plain]);
}

/** Returns the zeros that follow a file's bytes in a tar archive, up to the next block. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The bytes that mark the end of a tar archive. */
export const TAR_END: Uint8Array = new Uint8Array(2 * BLOCK);

function block(fields: { name: string; size: number; mtime: number; type: "0" | "x" }): Uint8Array {
  const { name, size, mtime, type } = fields;
  const bytes = new Uint8Array(BLOCK);
  const write = (at: number, text: string) =>
    new TextEncoder().encodeInto(text, bytes.subarray(at));
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  write(0, name);
  write(100, octal(MODE, 7));
  write(108, octal(0, 7));
  write(116, octal(0, 7));
  write(124, octal(size, 11));
  write(136, octal(Math.min(Math.max(0, Math.floor(mtime)), MAX_OCTAL_SIZE), 11));
  write(156, type);
  write(257, "ustar\x0000");
  // The checksum of the tar header is computed as if its own field contained spaces.
  write(148, " ".repeat(8));
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  write(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return bytes;
}

/**
 * Returns a record of an extended header: its length in bytes, a space, `key=value`, and a newline. The
 * length includes its own digits.
 */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}
