import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment, Processes } from "../../../lib/cli/demo/processes.ts";
import { Failure } from "../../../lib/cli/program.ts";
import { waitFor } from "../../support/wait.ts";
import { spawn, testEnvironment } from "../../support/spawn.ts";

const PROCESSES = join(import.meta.dir, "../../../lib/cli/demo/processes.ts");
const STAY = "setInterval(() => {}, 1000);";
const TELL_PID = "console.log(`pid ${process.pid} is up`);";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-processes-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const env = testEnvironment();
const never = new AbortController().signal;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function pidOf(processes: Processes, name: string): Promise<number> {
  const [, pid] = await processes.waitForLine(name, /pid (\d+) is up/, 10_000);
  return Number(pid);
}

test("a child sees nothing of its parent's settings", () => {
  const parent = { PATH: "/bin", HOME: "/root", API_TOKEN: "x", HTTPS_PROXY: "y", CLIENT_ID: "z" };
  expect(childEnvironment(parent, { CLIENT_ID: "own" })).toEqual({
    PATH: "/bin",
    HOME: "/root",
    CLIENT_ID: "own",
  });
});

describe("a program that runs with others", () => {
  test("runs in the folder, reads no .env there, and its output is in the log", async () => {
    await writeFile(join(folder, ".env"), "SECRET_OF_THE_FOLDER=1\n");
    await using processes = new Processes(folder, never);
    const tell = "console.log(process.cwd()); console.error(process.env.SECRET_OF_THE_FOLDER);";
    processes.start("one", ["-e", tell + TELL_PID + STAY], env);
    await pidOf(processes, "one");
    const [cwd, secret] = (await readFile(processes.logFile("one"), "utf8")).split("\n");
    expect(cwd).toEndWith(folder);
    expect(secret).toBe("undefined");
  });

  test("can be waited for, with what its line says", async () => {
    await using processes = new Processes(folder, never);
    processes.start("one", ["-e", `console.log("noise\\nlistening on 17");${STAY}`], env);
    const [line, port] = await processes.waitForLine("one", /listening on (\d+)/, 10_000);
    expect([line, port]).toEqual(["listening on 17", "17"]);
  });

  test("that says nothing in time is named, with the end of its log", async () => {
    await using processes = new Processes(folder, never);
    processes.start("one", ["-e", TELL_PID + STAY], env);
    await pidOf(processes, "one");
    const waiting = processes.waitForLine("one", /never/, 0);
    await expect(waiting).rejects.toThrow(
      /^one is not ready after 0 s, the end of one\.log:\n {2}pid \d+/,
    );
  });

  test("that ends by itself fails all that waits, with the end of its log", async () => {
    await using processes = new Processes(folder, never);
    processes.start("good", ["-e", STAY], env);
    processes.start("bad", ["-e", `console.error("disk on fire \\x1b[31m"); process.exit(3)`], env);
    const error = await processes.waitForLine("good", /never/, 30_000).catch((reason) => reason);
    expect(error).toBeInstanceOf(Failure);
    expect(error.message).toBe(
      "bad ended by itself with exit code 3, the end of bad.log:\n  disk on fire ",
    );
    expect(processes.signal.reason).toBe(error);
  });

  test("is not waited for when the person has enough", async () => {
    const controller = new AbortController();
    await using processes = new Processes(folder, controller.signal);
    processes.start("one", ["-e", STAY], env);
    const waiting = processes.waitForLine("one", /never/, 30_000);
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await waiting.catch((thrown) => thrown)).toBe(reason);
  });
});

describe("the end of them", () => {
  test.skipIf(process.platform === "win32")("gives each time to end cleanly", async () => {
    const polite = `process.on("SIGTERM", () => { console.log("good bye"); process.exit(0) });`;
    const processes = new Processes(folder, never);
    for (const name of ["one", "two"]) processes.start(name, ["-e", polite + TELL_PID + STAY], env);
    const pids = [await pidOf(processes, "one"), await pidOf(processes, "two")];
    await processes.stop();
    expect(pids.map(isAlive)).toEqual([false, false]);
    for (const name of ["one", "two"]) {
      expect(await readFile(processes.logFile(name), "utf8")).toEndWith("good bye\n");
    }
    expect(processes.signal.aborted).toBe(false);
  });

  test("comes by force to one that will not", async () => {
    const processes = new Processes(folder, never);
    processes.start("one", ["-e", `process.on("SIGTERM", () => {});${TELL_PID}${STAY}`], env);
    const pid = await pidOf(processes, "one");
    await processes.stop(0);
    expect(isAlive(pid)).toBe(false);
  });

  test.each([
    ["just exits", "process.exit(0)"],
    ["has a bug", "throw new Error('a bug')"],
    ["is killed", "process.kill(process.pid, 'SIGKILL')"],
  ])("comes when the parent %s", async (_, end) => {
    const parent = `
      const { Processes } = await import(${JSON.stringify(PROCESSES)});
      const processes = new Processes(${JSON.stringify(folder)}, new AbortController().signal);
      processes.start("one", ["-e", ${JSON.stringify(TELL_PID + STAY)}], process.env);
      const [, pid] = await processes.waitForLine("one", /pid (\\d+) is up/, 10_000);
      console.log(pid);
      ${end};`;
    const child = spawn([process.execPath, "-e", parent], { stderr: "ignore" });
    const pid = Number(await child.stdout.text());
    expect(pid).toBeGreaterThan(0);
    await waitFor(() => !isAlive(pid), "the child to end");
  });
});
