import { expect, test } from "bun:test";
import { hasProcessEnded, markOfProcess } from "../../../lib/server/servers/process-mark.ts";
import { spawn } from "../../support/spawn.ts";

const NO_PROC = markOfProcess(process.pid) === null ? " (needs /proc, on Linux)" : "";

test.skipIf(NO_PROC !== "")(`a process has ended once it is sure${NO_PROC}`, async () => {
  const child = spawn(["sleep", "600"]);
  const mark = markOfProcess(child.pid);
  expect(hasProcessEnded(mark)).toBe(false);
  child.kill("SIGSTOP");
  expect(hasProcessEnded(mark)).toBe(false);
  child.kill("SIGKILL");
  await child.exited;
  expect(hasProcessEnded(mark)).toBe(true);
  // If the process number is used again, the new process has another start time, so the marked one has ended.
  const [boot, space, , start] = mark?.split(" ") ?? [];
  expect(hasProcessEnded(`${boot} ${space} ${process.pid} ${start}`)).toBe(true);
  // Nothing is known about processes of another boot or another namespace.
  expect(hasProcessEnded(`other ${space} ${child.pid} ${start}`)).toBe(false);
  expect(hasProcessEnded(`${boot} other ${child.pid} ${start}`)).toBe(false);
  expect(hasProcessEnded(null)).toBe(false);
});
