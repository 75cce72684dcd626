import { readFile, rename, rm, writeFile } from "node:fs/promises";
import type { ChecksumAlgorithm } from "../api/checksums.ts";

/** The file with the sums of the test files, in the format of `md5sum`. */
export const CHECKSUMS_FILE = "checksums.txt";

/**
 * Reads the MD5 of each path that a text in the format of `md5sum` names. Lines of any other form
 * count for nothing.
 */
export function parseChecksums(text: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const line of text.split("\n")) {
    const entry = parseLine(line);
    if (entry) sums.set(entry.path, entry.md5);
  }
  return sums;
}

/** "*" stands for binary mode, which differs on no system that has both. */
function parseLine(line: string): { path: string; md5: string } | null {
  const [, md5, path] = /^([0-9a-f]{32}) [ *](.+?)\r?$/i.exec(line) ?? [];
  return md5 && path ? { md5: md5.toLowerCase(), path } : null;
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

/** @returns the text of a checksums file, empty if there is none */
export async function readChecksums(file: string): Promise<string> {
  return (await Bun.file(file).exists()) ? readFile(file, "utf8") : "";
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
 * @throws the reason of `signal` when it is aborted
 */
export async function digestsOfFile<Algorithm extends ChecksumAlgorithm>(
  file: string,
  algorithms: Algorithm[],
  signal?: AbortSignal,
  onBytes?: (bytes: number) => void,
): Promise<Record<Algorithm, string>> {
  const hashers = algorithms.map((algorithm) => new Bun.CryptoHasher(algorithm));
  for await (const piece of Bun.file(file).stream()) {
    signal?.throwIfAborted();
    for (const hasher of hashers) hasher.update(piece);
    onBytes?.(piece.byteLength);
  }
  const digests = algorithms.map((name, index) => [name, hashers[index]?.digest("hex")]);
  return Object.fromEntries(digests);
}
