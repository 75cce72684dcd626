import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { lacksPipes, Pipe } from "../support/pipe.ts";
import { spawn } from "../support/spawn.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Each test runs a service in a process of its own. It gives the code of the function that is passed to
 * `runService`.
 */

const SERVICE = JSON.stringify(resolve("lib/util/service.ts"));
const FLAGS = JSON.stringify(resolve("lib/util/flags.ts"));
const LOGGER = JSON.stringify(resolve("lib/util/logger.ts"));

function argvOf(start: string): string[] {
  const program = `
    import { runService } from ${SERVICE};
    import { UsageError } from ${FLAGS};
    import { Logger } from ${LOGGER};
    const logger = new Logger({ level: "info", format: "json" });
    await runService(async () => { ${start} });`;
  return [process.execPath, "-e", program];
}

function run(start: string) {
  return spawn(argvOf(start), { stdout: "pipe", stderr: "pipe" });
}

/** Runs a service whose standard output goes to a file, or to a pipe by the descriptor of its write end. */
function runInto(stdout: number | Bun.BunFile, start: string) {
  return spawn(argvOf(start), { stdout, stderr: "pipe" });
}

/** Waits until the service has ended. @returns its exit code, standard output and standard error */
async function outcome(child: ReturnType<typeof run>) {
  const [stdout, stderr] = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  return { code: await child.exited, stdout: await stdout, stderr: await stderr };
}

test.each([
  [
    "a mistake of a person",
    `throw new UsageError("--port is \\"x\\"")`,
    2,
    'error: --port is "x"\n',
  ],
  ["anything else", `throw new Error("cannot listen")`, 1, "error: cannot listen\n"],
  ["what is no error", `throw "odd"`, 1, "error: odd\n"],
  [
    "text that a terminal would obey",
    `throw new UsageError("--port is \\"\\x1b[2J8\\u202e0\\"")`,
    2,
    'error: --port is "80"\n',
  ],
])("cannot start for %s: one line, no stack", async (_, start, code, stderr) => {
  expect(await outcome(run(start))).toEqual({ code, stdout: "", stderr });
});

test("a text is shown instead of a service", async () => {
  expect(await outcome(run(`return "Usage: …\\n"`))).toEqual({
    code: 0,
    stdout: "Usage: …\n",
    stderr: "",
  });
});

const KEEP_ALIVE = "const timer = setInterval(() => undefined, 1000);";

test.skipIf(process.platform === "win32").each(["SIGINT", "SIGTERM", "SIGQUIT"] as const)(
  "%s stops it cleanly (needs POSIX signals)",
  async (signal) => {
    const child = run(`${KEEP_ALIVE}
      setTimeout(() => process.kill(process.pid, "${signal}"));
      return { logger, stop: async () => { clearInterval(timer); logger.info("tidied up"); } };`);
    const { code, stdout } = await outcome(child);
    expect(code).toBe(0);
    expect(stdout.match(/"message":"[^"]*"/g)).toEqual([
      `"message":"stopping after ${signal}"`,
      '"message":"tidied up"',
      '"message":"stopped"',
    ]);
  },
);

test.skipIf(process.platform === "win32").each(["SIGHUP", "SIGUSR1", "SIGUSR2"] as const)(
  "%s, which nobody knows here, ends nothing and is told (needs POSIX signals)",
  async (signal) => {
    const child = run(`${KEEP_ALIVE}
      process.kill(process.pid, "${signal}");
      await new Promise((resolve) => setTimeout(resolve));
      setTimeout(() => process.kill(process.pid, "${signal}"));
      const heard = setInterval(() => told && process.kill(process.pid, "SIGTERM"));
      let told = false;
      const write = (line) => { told ||= line.includes("goes on"); process.stdout.write(line); };
      const logger = new Logger({ level: "info", format: "json", write });
      return { logger, stop: async () => { clearInterval(heard); clearInterval(timer); } };`);
    const { code, stdout } = await outcome(child);
    expect(code).toBe(0);
    expect(stdout).toContain(`"message":"${signal} changes nothing here, the program goes on"`);
    expect(stdout).toContain('"message":"stopping after SIGTERM"');
  },
);

test.skipIf(process.platform === "win32")(
  "it ends with the terminal that it was started at (needs POSIX terminals)",
  async () => {
    const started = Promise.withResolvers<void>();
    const program = `${KEEP_ALIVE}
      logger.info("started");
      return { logger, reload: async () => undefined, stop: async () => clearInterval(timer) };`;
    const data = (_: unknown, bytes: Uint8Array) => {
      if (bytes.toString().includes("started")) started.resolve();
    };
    const child = spawn(argvOf(program), { terminal: { data } });
    await started.promise;
    child.terminal!.close();
    expect(await child.exited).toBe(0);
  },
);

test.skipIf(process.platform === "win32")(
  "a signal that comes while it starts is not lost (needs POSIX signals)",
  async () => {
    const child = run(`process.kill(process.pid, "SIGTERM");
      await new Promise((resolve) => setImmediate(resolve));
      return { logger, stop: async () => undefined };`);
    expect((await outcome(child)).code).toBe(0);
  },
);

test.skipIf(process.platform === "win32")(
  "an end that is not clean exits 1, with the stack in the log (needs POSIX signals)",
  async () => {
    const child = run(`${KEEP_ALIVE}
      setTimeout(() => process.kill(process.pid, "SIGTERM"));
      return { logger, stop: async () => { clearInterval(timer); throw new Error("disk gone"); } };`);
    const { code, stdout } = await outcome(child);
    expect(code).toBe(1);
    expect(stdout).toContain("Error: disk gone");
  },
);

test.skipIf(process.platform === "win32")(
  "a bug that nobody caught is logged and ends nothing (needs POSIX signals)",
  async () => {
    const child = run(`${KEEP_ALIVE}
      setTimeout(() => { void Promise.reject(new Error("first bug")); });
      setTimeout(() => { setTimeout(() => process.kill(process.pid, "SIGTERM")); throw new Error("second bug"); }, 5);
      return { logger, stop: async () => clearInterval(timer) };`);
    const { code, stdout } = await outcome(child);
    expect(code).toBe(0);
    expect(stdout).toContain("Error: first bug");
    expect(stdout).toContain("Error: second bug");
  },
);

test("a service that cannot go on by itself exits 1, with the reason in the log", async () => {
  const child = run(`${KEEP_ALIVE}
    const ended = new Promise((_, reject) => setTimeout(() => reject(new Error("stood still"))));
    return { logger, ended, stop: async () => clearInterval(timer) };`);
  const { code, stdout } = await outcome(child);
  expect(code).toBe(1);
  expect(stdout).toContain('"level":"error","message":"cannot go on: stood still"');
});

describe.skipIf(lacksPipes !== "")(`a log${lacksPipes}`, () => {
  const LINES = 1000;
  /** The code of a service that logs more than a pipe holds, and is then told to stop. */
  const TALKS = `${KEEP_ALIVE}
    for (let line = 0; line < ${LINES}; line++) logger.info("x".repeat(200));
    setTimeout(() => process.kill(process.pid, "SIGTERM"));
    return { logger, stop: async () => clearInterval(timer) };`;

  test("comes whole to a reader that begins late", async () => {
    await using pipe = Pipe.make(tmpdir());
    const child = runInto(pipe.end, TALKS);
    await pipe.isFull(child);
    const lines = Buffer.from(await pipe.read())
      .toString()
      .trimEnd()
      .split("\n");
    expect(lines).toHaveLength(LINES + 2);
    expect(lines.at(-1)).toContain('"message":"stopped"');
    expect(await child.exited).toBe(0);
  });

  test("that nobody reads any more ends nothing", async () => {
    await using pipe = Pipe.make(tmpdir());
    const child = runInto(pipe.end, TALKS);
    await pipe.isFull(child);
    pipe.leave();
    expect([await child.exited, await child.stderr.text()]).toEqual([0, ""]);
  });

  test("on a disk that is full ends nothing, and takes no processor", async () => {
    const child = runInto(Bun.file("/dev/full"), TALKS);
    expect([await child.exited, await child.stderr.text()]).toEqual([0, ""]);
  });

  test("a text in its place comes whole too, or it is a failure", async () => {
    await using pipe = Pipe.make(tmpdir());
    const text = 'return "Usage: …\\n".repeat(10_000)';
    const child = runInto(pipe.end, text);
    await pipe.isFull(child);
    expect(Buffer.from(await pipe.read()).toString()).toBe("Usage: …\n".repeat(10_000));
    expect(await child.exited).toBe(0);
    const failed = runInto(Bun.file("/dev/full"), text);
    expect(await failed.stderr.text()).toMatch(/^error: standard output .* ENOSPC.*\n$/);
    expect(await failed.exited).toBe(1);
  });
});
