import { afterAll, beforeAll, expect } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, type RunOptions } from "./operator.ts";
import { type Version, writeRandom } from "./sources.ts";
import { System } from "./system.ts";

/** The file that each client serves. */
export const FILE = "file_to_download.txt";
/** Ids of the clients that serve the file. */
export const CLIENTS = ["restaurant-001", "restaurant-002", "restaurant-003"];

/** The server, to which the three clients are connected. */
export let system: System;
/** Size and MD5 of the file that all clients serve. */
export let original: Version;

/** Runs `guide` with these input lines, expects exit code 0, and returns its output. */
export async function guide(lines: string[], options: RunOptions = {}): Promise<string> {
  const input = lines.map((line) => `${line}\n`).join("");
  const outcome = await runProgram(system, ["guide"], { input, ...options });
  expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
  expect(outcome.stdout).not.toContain("\x1b");
  return outcome.stdout;
}

/** Before a file's tests, starts a server and three clients that serve the same file. */
export function useGuide(): void {
  beforeAll(async () => {
    system = await System.start();
    original = await writeRandom(system.source(FILE), 3 * 1024 * 1024);
    // The clients send at most 4 MiB/s, so that a download's progress bar is drawn more than once.
    const env = { RATE_LIMIT: "4MiB" };
    await Promise.all(CLIENTS.map((id) => system.startClient({ id, env })));
    const sums = CLIENTS.map((id) => `${original.md5}  test-files/${id}/${FILE}\n`);
    await writeFile(join(system.folder, "checksums.txt"), sums.join(""));
  });

  afterAll(() => system[Symbol.asyncDispose]());
}
