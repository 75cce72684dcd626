import { afterAll, beforeAll, expect } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, type RunOptions } from "./operator.ts";
import { type Version, writeRandom } from "./sources.ts";
import { System } from "./system.ts";

/** What they serve. */
export const FILE = "file_to_download.txt";
/** Who serves it. */
export const CLIENTS = ["restaurant-001", "restaurant-002", "restaurant-003"];

/** A server and the three restaurants, all of which serve the same file. */
export let system: System;
/** Its size and MD5. */
export let original: Version;

/** Runs the guide with these lines as its input. */
export async function guide(lines: string[], options: RunOptions = {}): Promise<string> {
  const input = lines.map((line) => `${line}\n`).join("");
  const outcome = await runProgram(system, ["guide"], { input, ...options });
  expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
  expect(outcome.stdout).not.toContain("\x1b");
  return outcome.stdout;
}

/** Starts the server and its clients before the tests of a file. */
export function useGuide(): void {
  beforeAll(async () => {
    system = await System.start();
    original = await writeRandom(system.source(FILE), 3 * 1024 * 1024);
    // Slow enough that a bar is drawn more than once.
    const env = { RATE_LIMIT: "4MiB" };
    await Promise.all(CLIENTS.map((id) => system.startClient({ id, env })));
    const sums = CLIENTS.map((id) => `${original.md5}  test-files/${id}/${FILE}\n`);
    await writeFile(join(system.folder, "checksums.txt"), sums.join(""));
  });

  afterAll(() => system[Symbol.asyncDispose]());
}
