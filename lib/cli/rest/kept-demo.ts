import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { writeFileDurably } from "../../util/durable.ts";
import { systemCode } from "../../util/system-error.ts";

/**
 * The folder that contains the folders of all demos. It is inside the repository, as the system's folder for
 * temporary files may be in memory.
 */
export const DEMOS = join(import.meta.dir, "../../../.demo");

/** The name of the file, in the folder of a kept demo, with the server's address and API token. */
const FILE = "demo.json";

const Contents = z.object({ server: z.string(), api_token: z.string() });

/** A demo that was started with `--keep`. Its server may have ended since. */
export interface KeptDemo {
  folder: string;
  /** The URL of the demo's server. */
  server: string;
  token: string;
}

/** Writes the file by which other programs of the same user find a demo's server. */
export async function announceDemo({ folder, server, token }: KeptDemo): Promise<void> {
  const text = `${JSON.stringify({ server, api_token: token })}\n`;
  await writeFileDurably(join(folder, FILE), text, 0o600);
}

/**
 * Finds demos that were started with `--keep`, latest first.
 * @param demos the folder that contains the folders of demos
 */
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

/**
 * Awaits a read, and returns a fallback where the file is missing or unreadable. A demo may remove its folder
 * at any moment.
 */
async function unlessMissing<T>(reading: Promise<T>, fallback: T): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(systemCode(error) ?? "")) return fallback;
    throw error;
  }
}
