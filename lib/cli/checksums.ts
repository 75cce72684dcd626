import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { normalize } from "node:path/posix";
import type { ChecksumAlgorithm } from "../api/checksums.ts";
import { systemCode } from "../util/system-error.ts";
import { Failure } from "./program.ts";

/** The file with the sums of the test files, in the format of `md5sum`. */
export const CHECKSUMS_FILE = "checksums.txt";

/** A text in the format of `md5sum`, read. */
export interface Checksums {
  /** MD5 by path, without `./` before it; of a path that is there twice, the last one. */
  sums: Map<string, string>;
  /**
   * Numbers of the lines that say nothing for sure, from 1: of another form, or with another sum of
   * a path that was there before. Comments and empty lines are none.
   */
  strange: number[];
}

/** Reads a text in the format of `md5sum`. */
export function parseChecksums(text: string): Checksums {
  const sums = new Map<string, string>();
  const strange: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const entry = parseLine(line);
    const before = entry && sums.get(entry.path);
    if (!entry || (before && before !== entry.md5)) strange.push(index + 1);
    if (entry) sums.set(entry.path, entry.md5);
  }
  return { sums, strange };
}

/**
 * A line of `md5sum`. "*" stands for binary mode, which makes no difference where there is one. A backslash
 * at the start says that the path has escapes.
 */
function parseLine(line: string): { path: string; md5: string } | null {
  const usual = /^(?<escaped>\\?)(?<md5>[0-9a-f]{32}) [ *](?<path>.+?)\r?$/i;
  const tagged = /^(?<escaped>\\?)MD5 \((?<path>.+)\) = (?<md5>[0-9a-f]{32})\r?$/i;
  const { escaped, md5, path } = (usual.exec(line) ?? tagged.exec(line))?.groups ?? {};
  if (!md5 || !path) return null;
  const plain = escaped ? unescaped(path) : path;
  return plain === null ? null : { md5: md5.toLowerCase(), path: normalize(plain) };
}

/** @returns null where there is an escape that `md5sum` does not write */
function unescaped(path: string): string | null {
  if (!/^(?:[^\\]|\\[\\nr])+$/.test(path)) return null;
  return path.replaceAll(/\\(.)/g, (_, letter) => ({ n: "\n", r: "\r" })[String(letter)] ?? "\\");
}

/**
 * Puts one sum into a text in the format of `md5sum`, in the place of the path's old one or at the
 * end. Every other line stays as it is.
 * @param path relative to the text's folder, with forward slashes
 */
export function withChecksum(text: string, path: string, md5: string): string {
  const lines = text.split("\n").filter(Boolean);
  const names = (line: string) => parseLine(line)?.path === path;
  const found = lines.findIndex(names);
  const place = found === -1 ? lines.length : found;
  const before = lines.slice(0, place);
  const after = lines.slice(place).filter((line) => !names(line));
  return `${[...before, `${md5}  ${path}`, ...after].join("\n")}\n`;
}

/**
 * @returns the text of a checksums file, empty if there is none
 * @throws Failure where the name is that of a folder, a FIFO or the like
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

/** A FIFO would be waited for without end. @throws Failure */
async function requireRegularFile(file: string): Promise<void> {
  if ((await stat(file)).isFile()) return;
  throw new Failure(`remove "${file}", or name another file: it is no regular file`);
}

/** Writes the whole file or, when it is interrupted, nothing. */
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
 * Digests of a file's bytes, read once and in pieces.
 * @param onBytes gets the size of each piece
 * @returns lower-case hex, by algorithm
 * @throws Failure where it is no regular file
 * @throws the reason of `signal` when it is aborted
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
