import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { lacksMounts, lacksStrace } from "../support/machine.ts";
import { rowsOf } from "../support/rows.ts";
import { pullSet, unsafeFiles } from "../support/set-source.ts";
import { Strace } from "../support/strace.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { APART, RECHECK, stageOn, waitForFull, WITH_SHORT_WRITES } from "./disk-stage.ts";
import {
  expectNothingLeft,
  expectSafeFiles,
  expectWholeSet,
  LARGE,
  pullHalfSet,
  stageWithSet,
} from "./set-stage.ts";
import { KiB, MiB } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Rows 21 to 28 of the fault table, for sets: the server's disk is full, fails or loses files while a set is
 * received.
 */

describe.skipIf(lacksMounts !== "")(`the disk is full while a set comes${lacksMounts}`, () => {
  test.concurrent.each([
    ["0 bytes left, the rows elsewhere", 0, APART],
    ["64 KiB left, for rows too", 64 * KiB, {}],
  ])("row 21: under way, with %s", async (_, left, env) => {
    await using stage = await stageOn("downloads", 32 * MiB, (options) =>
      stageWithSet({ ...options, env }),
    );
    const { system, proxy, disk } = stage;
    const { downloadId } = await pullHalfSet(stage);
    await disk.fill(left);
    proxy.release("up");
    const waiting = await waitForFull(stage, downloadId);
    expect(waiting).toMatchObject({ md5: null, saved_path: null });
    expect(await system.published()).toEqual(["ballast"]);
    await expectSafeFiles(stage, downloadId);

    // The server rechecks the disk every 5 s. While the disk is full, it must start at most one more attempt.
    await Bun.sleep(RECHECK + 1_000);
    const later = await system.api.download(downloadId);
    expect(later).toMatchObject({ status: "queued", error_code: "storage_full" });
    expect(later.attempts - waiting.attempts).toBeLessThanOrEqual(1);

    await disk.free();
    await expectWholeSet(stage, downloadId);
  });

  test.concurrent("row 22: the disk of the database alone", async () => {
    await using stage = await stageOn("database", 8 * MiB, (options) =>
      stageWithSet({ ...options, env: APART }),
    );
    const { system, proxy, disk } = stage;
    const { downloadId } = await pullHalfSet(stage);
    const before = rowsOf(system);
    await disk.fill(0);
    proxy.release("up");
    await waitFor(
      () => system.server.log().find(({ level }) => level === "error"),
      "the server to meet it",
    );
    await expectSafeFiles(stage, downloadId);
    expect(rowsOf(system)).toEqual(before);
    await expect(pullSet(system)).rejects.toThrow(/disk of the server's database is full/);
    expect(await system.published()).toEqual([]);

    await disk.free();
    await expectWholeSet(stage, downloadId);
  });

  test
    .skipIf(lacksStrace !== "")
    .concurrent(
      `row 23: short writes, where the last bytes of a disk are taken${lacksStrace}`,
      async () => {
        await using stage = await stageOn("downloads", 32 * MiB, (options) =>
          stageWithSet({ ...options, env: APART }),
        );
        const { system, proxy, disk } = stage;
        const { downloadId, folder } = await pullHalfSet(stage);
        const path = join(folder, LARGE);
        const trace = { calls: "write,pwrite64,pwritev,pwritev2", path };
        // Strace is attached before the disk is filled, because the server may still write bytes that have
        // arrived already.
        await using strace = await Strace.attach(system.server, system.folder, trace);
        await disk.fill(300 * KiB);
        proxy.release("up");
        await waitForFull(stage, downloadId);
        await waitFor(() => strace.lines.some(isShort), "a write to be short");
        await expectSafeFiles(stage, downloadId);
        await disk.free();
        await expectWholeSet(stage, downloadId);
      },
    );
});

/** Reports whether a traced write took only some of its bytes. */
function isShort(line: string): boolean {
  const [, asked, taken] = /, (\d+), \d+\) += (\d+)/.exec(line) ?? [];
  return asked !== undefined && Number(taken) < Number(asked);
}

test.concurrent("row 23: short writes of a set's files, all the time", async () => {
  await using stage = await stageWithSet({ env: WITH_SHORT_WRITES });
  await expectWholeSet(stage, await pullSet(stage.system));
  const short = stage.system.server.log().filter(({ message }) => message === "a write is short");
  // Both the large file and small files have short writes.
  expect(short.length).toBeGreaterThan(1);
});

describe.skipIf(lacksStrace !== "")(`calls that fail while a set comes${lacksStrace}`, () => {
  test.concurrent.each([
    ["row 24: EIO at the flush of a set, once", "syncfs", "parts/ID.set"],
    ["row 24: EIO at the flush of the client's folder", "fsync", "../site-1"],
    ["row 24: EIO at the flush of the checksums", "fsync", "parts/ID.sums"],
    ["row 24: EIO at the flush of the database's log", "fdatasync", "state.db-wal"],
    ["row 26: EIO at the rename of the folder", "rename,renameat,renameat2", "parts/ID.set"],
    ["row 26: EIO at the link of the checksums", "link,linkat", "parts/ID.sums"],
  ])("%s", async (_, calls, place) => {
    await using stage = await stageWithSet();
    const { system, proxy } = stage;
    const { downloadId } = await pullHalfSet(stage);
    const path = join(system.serverFolder, place.replace("ID", downloadId));
    const strace = await Strace.attach(system.server, system.folder, {
      calls,
      inject: "error=EIO",
      path,
    });
    proxy.release("up");
    await waitFor(() => strace.injected >= 1, `${calls} to fail`);
    await expectSafeFiles(stage, downloadId);
    await strace[Symbol.asyncDispose]();
    const { attempts } = await expectWholeSet(stage, downloadId);
    expect(attempts).toBeLessThanOrEqual(1 + strace.injected);
  });

  test.concurrent("row 24: EIO at every flush: the set fails, and tells the cause", async () => {
    await using stage = await stageWithSet();
    const { system, proxy } = stage;
    const { downloadId, folder } = await pullHalfSet(stage);
    const how = { calls: "syncfs", inject: "error=EIO", path: folder };
    await using strace = await Strace.attach(system.server, system.folder, how);
    proxy.release("up");
    const record = await system.ended(downloadId);
    expect(record).toMatchObject({
      status: "failed",
      error_code: "storage_error",
      error: "cannot flush the set: EIO",
      saved_path: null,
    });
    // Each of the three attempts flushed once. A failed flush is never repeated in the same attempt.
    expect(strace.injected).toBe(3);
    expect(await system.published()).toEqual([]);
    await expectNothingLeft(stage);
  });
});

describe("row 28: while the client is away,", () => {
  test.concurrent.each<[string, (folder: string) => Promise<void>]>([
    ["the file in the middle is shortened", (folder) => truncate(join(folder, LARGE), 1000)],
    ["the file in the middle is deleted", (folder) => rm(join(folder, LARGE))],
    ["files that came are deleted", (folder) => rm(join(folder, "exports/0"), { recursive: true })],
    ["the whole folder is deleted", (folder) => rm(folder, { recursive: true })],
  ])("%s: it comes again", async (_, damage) => {
    await using stage = await stageWithSet();
    const { system, client, proxy } = stage;
    const { downloadId, folder } = await pullHalfSet(stage);
    client.signal("SIGKILL");
    proxy.cut("rst");
    await waitFor(
      async () => (await system.api.download(downloadId)).status === "queued",
      "the set to wait for its client",
    );
    expect(await unsafeFiles(system, downloadId)).toEqual([]);
    await damage(folder);
    proxy.release("up");
    await client.restart();
    await expectWholeSet(stage, downloadId);
  });
});
