import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { writeFileDurably } from "../../util/durable.ts";
import { systemCode } from "../../util/system-error.ts";

/**
 * The folder for demos' folders. It is beside the code, as the system's folder for temporary files may be
 * in memory.
 */
export const DEMOS = join(import.meta.dir, "../../../.demo");

/** File in a kept demo's folder with what other programs need to use it. */
const FILE = "demo.json";

const Contents = z.object({ server: z.string(), api_token: z.string() });

/** A demo that was started with `--keep`; it may have ended since. */
export interface KeptDemo {
  folder: string;
  /** Address of its server. */
  server: string;
  token: string;
}

/** Writes the file by which other programs of the same user find a demo. */
export async function announceDemo({ folder, server, token }: KeptDemo): Promise<void> {
  const text = `${JSON.stringify({ server, api_token: token })}\n`;
  await writeFileDurably(join(folder, FILE), text, 0o600);
}

/** Finds kept demos, latest first. @param demos the folder that holds the demos' folders */
export async function findKeptDemos(demos: string): Promise<KeptDemo[]> {
  const names = await unlessMissing(readdir(demos), []);
  const found = await Promise.all(
    names.map((name) => unlessMissing(readDemo(join(demos, name)), null)),
  );
  return found.filter((demo) => demo !== null).toSorted((a, b) => b.since - a.since);
}

async function readDemo(folder: string): Promise<KeptDemo & { since: number }> {
  const file = join(folder, FILE);
  const { mtimeMs: since } = await stat(file);
  const { server, api_token: token } = Contents.parse(JSON.parse(await readFile(file, "utf8")));
  return { folder, server, token, since };
}

/** Reads with a fallback: a demo may end at any moment, and not every one is kept or readable. */
async function unlessMissing<T>(reading: Promise<T>, fallback: T): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(systemCode(error) ?? "")) return fallback;
    throw error;
  }
}
