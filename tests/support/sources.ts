import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";

const BLOCK = 1024 * 1024;

/** Writes a file of random bytes. */
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

/** What `md5sum` says of a file. */
export async function md5OfFile(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher("md5");
  for await (const block of Bun.file(path).stream()) hash.update(block);
  return hash.digest("hex");
}

/** What a file holds at a moment. */
export interface Version {
  size: number;
  md5: string;
}

export async function versionOf(path: string): Promise<Version> {
  return { size: Bun.file(path).size, md5: await md5OfFile(path) };
}
