import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { spawn } from "../support/spawn.ts";

/*
 * A service is a whole process, so each test runs one: the text is what follows
 * `await runService(async () => {`.
 */

const SERVICE = JSON.stringify(resolve("lib/util/service.ts"));
const FLAGS = JSON.stringify(resolve("lib/util/flags.ts"));
const LOGGER = JSON.stringify(resolve("lib/util/logger.ts"));

function run(start: string) {
  const program = `
    import { runService } from ${SERVICE};
    import { UsageError } from ${FLAGS};
    import { Logger } from ${LOGGER};
    const logger = new Logger({ level: "info", format: "json" });
    await runService(async () => { ${start} });`;
  return spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "pipe" });
}

/** Its exit code, standard output and standard error, once it has ended. */
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

test.skipIf(process.platform === "win32").each(["SIGINT", "SIGTERM"] as const)(
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
