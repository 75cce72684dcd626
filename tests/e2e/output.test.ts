import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { DownloadList } from "../../lib/api/schemas.ts";
import { lacksPipes, Pipe, PIPE_BYTES } from "../support/pipe.ts";
import { writeRandom } from "../support/sources.ts";
import { spawn } from "../support/spawn.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Output of the programs when its reader is slow, stuck or gone, or when the disk is full. */

const PROJECT = join(import.meta.dir, "../..");

/** So many downloads that the JSON list of them does not fit in the buffer of a pipe. */
const DOWNLOADS = 300;

const LIST = ["lib/cli/fds.ts", "downloads", "--client", "away", "--limit", "1000", "--json"];
const PULL = ["lib/cli/fds.ts", "pull", "site-1", "large", "-o", "-"];

let system: System;

beforeAll(async () => {
  system = await System.start();
  await writeRandom(system.source("large"), 4 * PIPE_BYTES);
  await system.startClient();
  const away = await system.startClient({ id: "away" });
  away.signal("SIGTERM");
  await away.ended();
  await Promise.all(Array.from({ length: DOWNLOADS }, () => system.pull("large", "away")));
});
afterAll(() => system[Symbol.asyncDispose]());

/** Starts a program whose standard output is a pipe or a file. */
function start([file = "", ...flags]: string[], stdout: number | Bun.BunFile) {
  const runtime = [process.execPath, "--no-env-file", "--no-orphans"];
  return spawn([...runtime, join(PROJECT, file), ...flags], {
    cwd: system.folder,
    env: { SERVER_URL: system.url, API_TOKEN },
    stdout,
    stderr: "pipe",
  });
}

describe.skipIf(lacksPipes !== "")(`the output of a program${lacksPipes}`, () => {
  test("comes whole to a reader that begins late", async () => {
    await using pipe = Pipe.make(system.folder);
    const child = start(LIST, pipe.end);
    await pipe.isFull(child);
    const text = Buffer.from(await pipe.read()).toString();
    expect(text.length).toBeGreaterThan(2 * PIPE_BYTES);
    expect(DownloadList.parse(JSON.parse(text)).downloads).toHaveLength(DOWNLOADS);
    expect([await child.exited, await child.stderr.text()]).toEqual([0, ""]);
  });

  test("comes whole to a late reader where it is a file", async () => {
    await using pipe = Pipe.make(system.folder);
    const child = start(PULL, pipe.end);
    await pipe.isFull(child);
    expect(Buffer.from(await pipe.read())).toEqual(
      Buffer.from(await Bun.file(system.source("large")).bytes()),
    );
    expect(await child.exited).toBe(0);
  });

  test.concurrent.each([
    ["a list", LIST],
    ["a file", PULL],
  ])("ends with its reader, without a word, where it is %s", async (_, command) => {
    await using pipe = Pipe.make(system.folder);
    const child = start(command, pipe.end);
    await pipe.isFull(child);
    pipe.leave();
    expect(await child.exited).toBe(141);
    expect(await child.stderr.text()).not.toMatch(/EPIPE|error/i);
  });

  test.concurrent.each([
    ["a list", LIST],
    ["a file", PULL],
  ])("is no reason to stay, when the program is to end, where it is %s", async (_, command) => {
    await using pipe = Pipe.make(system.folder);
    const child = start(command, pipe.end);
    await pipe.isFull(child);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    expect(await child.stderr.text()).toEndWith("ended by SIGTERM\n");
  });

  test.concurrent.each([
    ["a list", LIST],
    ["a file", PULL],
    ...[
      "server.ts",
      "client.ts",
      "setup.ts",
      "lib/cli/fds.ts",
      "lib/cli/guide.ts",
      "lib/cli/demo.ts",
      "tests/bench/bench.ts",
      "tests/gate/check.ts",
      "tests/gate/run-tests.ts",
      "tests/soak/main.ts",
    ].map((file): [string, string[]] => [`the help of ${file}`, [file, "--help"]]),
  ])("is a failure where a full disk took none of it: %s", async (_, command) => {
    const child = start(command, Bun.file("/dev/full"));
    const told = await child.stderr.text();
    expect(told).toMatch(/^error: standard output cannot be written: ENOSPC.*\n$/m);
    expect(await child.exited).toBe(1);
  });
});
