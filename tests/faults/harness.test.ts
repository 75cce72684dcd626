import { expect, setDefaultTimeout, test } from "bun:test";
import { appendFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { rowsOf } from "../support/rows.ts";
import { wholeCalls } from "../support/strace.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { delivered, MiB, setStage } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

/* Tests of the invariant checks themselves: each must fail when its invariant is broken. */

test("a part that is shorter than the safe offset is seen", async () => {
  await using stage = await setStage({ size: 8 * MiB });
  const { system, proxy, invariants } = stage;
  const held = proxy.after("up", 4 * MiB, () => proxy.hold("up"));
  const downloadId = await system.pull("file");
  await held;
  await waitFor(
    () => (rowsOf(system).get(downloadId)?.safe_offset ?? 0) > 0,
    "something to be safe",
  );
  system.server.signal("SIGKILL");
  await system.server.ended();
  await invariants.expectSafe();
  await truncate(join(system.serverFolder, "parts", `${downloadId}.part`), 1);
  await expect(invariants.expectSafe()).rejects.toThrow(/bytes are not there/);
});

test("a published file that is not the source is seen", async () => {
  await using stage = await setStage({ size: MiB });
  const { system, invariants } = stage;
  const downloadId = await system.pull("file");
  await invariants.expectAll(delivered(downloadId, stage, 0));
  const [name = ""] = await system.published();
  await appendFile(join(system.folder, "downloads", name), "x");
  await expect(invariants.expectAll(delivered(downloadId, stage, 0))).rejects.toThrow();
});

test("a call that strace wrote as two lines is one", () => {
  const lines = [
    '7  pwrite64(3</part>, ""..., 9, 0 <unfinished ...>',
    "8  fsync(4</parts>) = 0",
    "7  <... pwrite64 resumed>) = 5",
    "7  --- SIGSTOP {si_signo=SIGSTOP} ---",
    "8  fsync(4</parts> <unfinished ...>",
  ];
  expect(wholeCalls(lines)).toEqual([
    "8  fsync(4</parts>) = 0",
    '7  pwrite64(3</part>, ""..., 9, 0) = 5',
    "7  --- SIGSTOP {si_signo=SIGSTOP} ---",
  ]);
});
