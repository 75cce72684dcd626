import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import type { Random } from "./random.ts";

const BLOCK = 1024 * 1024;

/** Writes a file of random bytes. @param size in bytes @returns its size and MD5 */
export async function writeRandom(path: string, size: number): Promise<Version> {
  const file = await open(path, "w");
  try {
    for (let left = size; left > 0; left -= BLOCK) {
      await file.writeFile(randomBytes(Math.min(BLOCK, left)));
    }
  } finally {
    await file.close();
  }
  return versionOf(path);
}

/** Makes log lines such as a till writes. zstd compresses them to a quarter or less. @param size in bytes */
export function logLines(random: Random, size: number): Uint8Array<ArrayBuffer> {
  const lines: string[] = [];
  for (let length = 0; length < size; length += lines.at(-1)!.length) {
    const [hour, minute, second] = [23, 59, 59].map((most) => random.int(0, most));
    const [table, total] = [random.int(1, 40), random.int(100, 99_999)];
    const item = random.pick(["pizza", "pasta", "salad", "soup", "bread", "wine", "water"]);
    lines.push(
      `2026-01-02T${hour}:${minute}:${second} INFO table=${table} ${item} paid=${total}\n`,
    );
  }
  return new TextEncoder().encode(lines.join("")).slice(0, size);
}

/** Returns the MD5 of a file in hex, as `md5sum` prints it. */
export async function md5OfFile(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher("md5");
  for await (const block of Bun.file(path).stream()) hash.update(block);
  return hash.digest("hex");
}

export function md5OfBytes(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("md5").update(bytes).digest("hex");
}

/** Size and MD5 of a file at one moment. */
export interface Version {
  size: number;
  md5: string;
}

export async function versionOf(path: string): Promise<Version> {
  return { size: Bun.file(path).size, md5: await md5OfFile(path) };
}
