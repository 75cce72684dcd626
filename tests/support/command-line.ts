import { afterAll, beforeAll, beforeEach, expect } from "bun:test";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Outcome, runProgram, type RunOptions } from "./operator.ts";
import type { Program } from "./programs.ts";
import { type Version, writeRandom } from "./sources.ts";
import { System } from "./system.ts";

/*
 * A real server for tests of `bun run fds`. `useCommandLine` starts and stops it for a test file, and the
 * variables below are for its tests.
 */

export const FILE = "file_to_download.txt";
export const SIZE = 5 * 1024 * 1024;

export let system: System;
/** Folder for saved files on the local machine, emptied before each test. */
export let saved: string;
/** Size and checksum of {@link FILE} at client "site-1". */
export let original: Version;
/** The client "away", which was stopped. */
export let away: Program;

/**
 * Starts a server for all tests of a file.
 * @param prepare makes the files of the sites and starts their clients
 */
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

/**
 * Starts the connected client "site-1", which has {@link FILE}, and the client "away", then stops the latter.
 */
export async function oneSiteAndOneAway(): Promise<void> {
  original = await writeRandom(system.source(FILE), SIZE);
  await system.startClient();
  away = await system.startClient({ id: "away" });
  away.signal("SIGTERM");
  await away.ended();
}

/** Starts a download of the client "away", which stays queued, and returns its id. */
export const waiting = () => system.pull(FILE, "away");

export const fds = (args: string[], options?: RunOptions) =>
  runProgram(system, ["fds", ...args], options);

/** Runs a command with --json, expects success, and returns the parsed output. */
export async function json(...args: string[]) {
  const { stdout, stderr, exitCode } = await fds([...args, "--json"]);
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return JSON.parse(stdout);
}

/** Splits the output of a command into lines of tab-separated fields, and expects no colour codes. */
export function fields({ stdout }: Outcome): string[][] {
  expect(stdout).not.toContain("\x1b");
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t"));
}
