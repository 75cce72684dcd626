import { afterAll, beforeAll, beforeEach, expect } from "bun:test";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Outcome, runProgram, type RunOptions } from "./operator.ts";
import type { Program } from "./programs.ts";
import { type Version, writeRandom } from "./sources.ts";
import { System } from "./system.ts";

/*
 * `bun run fds` beside a real server, for all tests of a file: `useCommandLine` starts the server and
 * ends it, and what the tests need of it is exported here.
 */

export const FILE = "file_to_download.txt";
export const SIZE = 5 * 1024 * 1024;

export let system: System;
/** Where files are saved locally: empty before each test. */
export let saved: string;
/** {@link FILE} of the client "site-1". */
export let original: Version;
/** The client "away". */
export let away: Program;

/** @param prepare makes what the sites have, and starts their clients */
export function useCommandLine(prepare: () => Promise<void>): void {
  beforeAll(async () => {
    system = await System.start();
    saved = join(system.folder, "saved");
    await prepare();
  });
  beforeEach(async () => {
    await rm(saved, { recursive: true, force: true });
    await mkdir(saved);
  });
  afterAll(() => system[Symbol.asyncDispose]());
}

/** The client "site-1" that is connected and has {@link FILE}, and "away", which is not. */
export async function oneSiteAndOneAway(): Promise<void> {
  original = await writeRandom(system.source(FILE), SIZE);
  await system.startClient();
  away = await system.startClient({ id: "away" });
  away.signal("SIGTERM");
  await away.ended();
}

/** A download that waits for a client that is not there. */
export const waiting = () => system.pull(FILE, "away");

export const fds = (args: string[], options?: RunOptions) =>
  runProgram(system, ["fds", ...args], options);

/** What a command prints with --json. */
export async function json(...args: string[]) {
  const { stdout, stderr, exitCode } = await fds([...args, "--json"]);
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return JSON.parse(stdout);
}

/** Fields of the lines that a command prints into a pipe. */
export function fields({ stdout }: Outcome): string[][] {
  expect(stdout).not.toContain("\x1b");
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t"));
}
