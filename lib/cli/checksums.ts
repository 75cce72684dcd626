import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { normalize } from "node:path/posix";
import type { ChecksumAlgorithm } from "../api/checksums.ts";
import { systemCode } from "../util/system-error.ts";
import { Failure } from "./program.ts";

/** The name of the file that lists the MD5 of each test file, in the format of `md5sum`. */
export const CHECKSUMS_FILE = "checksums.txt";

/** The parsed content of a file in the format of `md5sum`. */
export interface Checksums {
  /**
   * The MD5 of each file. The key is the file's path, without a leading `./`. If a path is listed twice, the
   * last line counts.
   */
  sums: Map<string, string>;
  /**
   * Line numbers, counted from 1, of lines in an unknown format or with a second, different checksum for a
   * path. Comments and empty lines are accepted.
   */
  badLines: number[];
}

/** Parses a text in the format of `md5sum`. */
export function parseChecksums(text: string): Checksums {
  const sums = new Map<string, string>();
  const badLines: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const entry = parseLine(line);
    const before = entry && sums.get(entry.path);
    if (!entry || (before && before !== entry.md5)) badLines.push(index + 1);
    if (entry) sums.set(entry.path, entry.md5);
  }
  return { sums, badLines };
}

/**
 * Parses one line in the format of `md5sum`. A "*" (binary mode) is ignored. A backslash at the start means
 * that the path contains escapes.
 * @returns null for a line in another format
 */
function parseLine(line: string): { path: string; md5: string } | null {
  const usual = /^(?<escaped>\\?)(?<md5>[0-9a-f]{32}) [ *](?<path>.+?)\r?$/i;
  const tagged = /^(?<escaped>\\?)MD5 \((?<path>.+)\) = (?<md5>[0-9a-f]{32})\r?$/i;
  const { escaped, md5, path } = (usual.exec(line) ?? tagged.exec(line))?.groups ?? {};
  if (!md5 || !path) return null;
  const plain = escaped ? unescaped(path) : path;
  return plain === null ? null : { md5: md5.toLowerCase(), path: normalize(plain) };
}

/**
 * Decodes the escapes that `md5sum` writes in a path.
 * @returns null for an escape that `md5sum` never writes
 */
function unescaped(path: string): string | null {
  if (!/^(?:[^\\]|\\[\\nr])+$/.test(path)) return null;
  return path.replaceAll(/\\(.)/g, (_, letter) => ({ n: "\n", r: "\r" })[String(letter)] ?? "\\");
}

/**
 * Sets the checksum of a file in a text in the format of `md5sum`. The first line for the file's path is
 * replaced. If there is none, a line is appended. Further lines for the path and empty lines are dropped.
 * @param path path of the file, relative to the folder of the checksum file, with forward slashes
 */
export function withChecksum(text: string, path: string, md5: string): string {
  const lines = text.split("\n").filter(Boolean);
  const isForPath = (line: string) => parseLine(line)?.path === path;
  const found = lines.findIndex(isForPath);
  const place = found === -1 ? lines.length : found;
  const before = lines.slice(0, place);
  const after = lines.slice(place).filter((line) => !isForPath(line));
  return `${[...before, `${md5}  ${path}`, ...after].join("\n")}\n`;
}

/**
 * Reads a checksum file.
 * @returns the text of the file; an empty text where the file does not exist
 * @throws Failure where the path is a folder, a FIFO or the like
 */
export async function readChecksums(file: string): Promise<string> {
  try {
    await requireRegularFile(file);
    return await readFile(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw error;
  }
}

/**
 * Checks that a path is a regular file, before the file is opened. Opening a FIFO would block for ever.
 * @throws Failure where the path is not a regular file
 */
async function requireRegularFile(file: string): Promise<void> {
  if ((await stat(file)).isFile()) return;
  throw new Failure(`remove "${file}", or name another file: it is no regular file`);
}

/**
 * Replaces the text of a checksum file atomically. After an interruption, the file has either its old or its
 * new text.
 */
export async function writeChecksums(file: string, text: string): Promise<void> {
  const temporary = `${file}.${crypto.randomUUID()}.tmp`;
  try {
    await writeFile(temporary, text, { flag: "wx" });
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Computes several digests of a file, which is read once and in pieces.
 * @param onBytes called after each piece with the size of the piece in bytes
 * @returns the digests in lower-case hex; the key is the algorithm
 * @throws Failure where the path is not a regular file
 * @throws the reason of `signal` when `signal` is aborted
 */
export async function digestsOfFile<Algorithm extends ChecksumAlgorithm>(
  file: string,
  algorithms: Algorithm[],
  signal?: AbortSignal,
  onBytes?: (bytes: number) => void,
): Promise<Record<Algorithm, string>> {
  await requireRegularFile(file);
  const hashers = algorithms.map((algorithm) => new Bun.CryptoHasher(algorithm));
  for await (const piece of Bun.file(file).stream()) {
    signal?.throwIfAborted();
    for (const hasher of hashers) hasher.update(piece);
    onBytes?.(piece.byteLength);
  }
  const digests = algorithms.map((name, index) => [name, hashers[index]?.digest("hex")]);
  return Object.fromEntries(digests);
}
