import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { spawn } from "../support/spawn.ts";

/* Each test runs a program in a process of its own, because a program ends its process. */

const PROGRAM = JSON.stringify(resolve("lib/cli/program.ts"));

test.skipIf(process.platform === "win32").each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
  ["SIGHUP", 129],
] as const)(
  "%s ends a program also while it waits for what never comes (needs POSIX)",
  async (signal, code) => {
    const script = `
      import { runProgram } from ${PROGRAM};
      setTimeout(() => process.kill(process.pid, "${signal}"));
      setInterval(() => undefined, 1000);
      await runProgram(() => new Promise(() => undefined), 10);`;
    const child = spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
    expect(await child.exited).toBe(code);
    expect(await child.stderr.text()).toBe(`ended by ${signal}\n`);
  },
);

test("a program that cleans up in time says what it has to say", async () => {
  const script = `
    import { runProgram } from ${PROGRAM};
    setTimeout(() => process.kill(process.pid, "SIGTERM"));
    const cleaningUp = async (signal) => {
      await new Promise((done) => signal.addEventListener("abort", done));
      console.log("cleaned up");
      signal.throwIfAborted();
    };
    await runProgram(cleaningUp, 60_000);`;
  const child = spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
  expect(await child.exited).toBe(143);
  expect(await child.stdout.text()).toBe("cleaned up\n");
});

test.skipIf(process.platform === "win32")(
  "what fails because a signal came is told as that signal (needs POSIX)",
  async () => {
    const script = `
      import { runProgram } from ${PROGRAM};
      setTimeout(() => process.kill(process.pid, "SIGTERM"));
      await runProgram(async (signal) => {
        await new Promise((done) => signal.addEventListener("abort", done));
        await require("node:timers/promises").setTimeout(1, null, { signal });
      });`;
    const child = spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
    expect([await child.exited, await child.stderr.text()]).toEqual([143, "ended by SIGTERM\n"]);
  },
);
