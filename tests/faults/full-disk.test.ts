import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { lacksMounts, lacksStrace } from "../support/machine.ts";
import { lacksLimits, setLimit } from "../support/limits.ts";
import { rowsOf } from "../support/rows.ts";
import { writeRandom } from "../support/sources.ts";
import { Strace } from "../support/strace.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { APART, RECHECK, stageOn, waitForFull, WITH_SHORT_WRITES } from "./disk-stage.ts";
import { pullHalf } from "./half.ts";
import { delivered, KiB, MiB, setStage } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

/* Rows 21 to 23 of the fault table: disks of a few MiB that become full during a download. */

const SIZE = 8 * MiB;
describe.skipIf(lacksMounts !== "")(`a disk is full${lacksMounts}`, () => {
  test.concurrent.each([
    ["0 bytes left, the rows elsewhere", 0, APART, true],
    ["64 KiB left, for rows too", 64 * KiB, {}, true],
    // Here another download may be accepted, because dropped unflushed bytes may free enough room for it.
    ["900 KiB left, for rows too", 900 * KiB, {}, false],
  ])("row 21: under way, with %s", async (_, left, env, refusesMore) => {
    await using stage = await stageOn("downloads", 32 * MiB, (options) =>
      setStage({ size: SIZE, ...options, env }),
    );
    const { system, proxy, invariants, disk } = stage;
    const { downloadId } = await pullHalf(stage);
    await disk.fill(left);
    proxy.release("up");
    const waiting = await waitForFull(stage, downloadId);
    expect(waiting).toMatchObject({ error_code: "storage_full", md5: null, saved_path: null });
    expect(await system.published()).toEqual(["ballast"]);
    await invariants.expectSafe();

    // The server rechecks the disk every 5 s. While the disk is full, it must start at most one more attempt.
    await Bun.sleep(RECHECK + 1_000);
    const later = await system.api.download(downloadId);
    expect(later).toMatchObject({ status: "queued", error_code: "storage_full" });
    expect(later.attempts - waiting.attempts).toBeLessThanOrEqual(1);
    if (refusesMore) await expect(system.pull("file")).rejects.toThrow(/disk is too full/);

    await disk.free();
    await invariants.expectAll(delivered(downloadId, stage, 2));
  });

  test.concurrent("row 22: the disk of the database alone", async () => {
    await using stage = await stageOn("database", 8 * MiB, (options) =>
      setStage({ size: SIZE, ...options, env: APART }),
    );
    const { system, proxy, invariants, disk } = stage;
    const { downloadId } = await pullHalf(stage);
    const before = rowsOf(system);
    await disk.fill(0);
    proxy.release("up");
    await waitFor(
      () => system.server.log().find(({ level }) => level === "error"),
      "the server to meet it",
    );
    await invariants.expectSafe();
    expect(rowsOf(system)).toEqual(before);
    await expect(system.pull("file")).rejects.toThrow(/disk of the server's database is full/);
    expect(await system.published()).toEqual([]);

    await disk.free();
    await invariants.expectAll(delivered(downloadId, stage, 2));
  });

  test
    .skipIf(lacksStrace !== "")
    .concurrent(
      `row 23: short writes, where the last bytes of a disk are taken${lacksStrace}`,
      async () => {
        await using stage = await stageOn("downloads", 32 * MiB, (options) =>
          setStage({ size: SIZE, ...options, env: APART }),
        );
        const { system, proxy, invariants, disk } = stage;
        const { downloadId, part } = await pullHalf(stage);
        const trace = { calls: "write,pwrite64,pwritev,pwritev2", path: part };
        await using strace = await Strace.attach(system.server, system.folder, trace);
        // Strace is attached before the disk is full, because the server may write bytes that have arrived
        // already, and fill the disk by a short write.
        await disk.fill(300 * KiB);
        proxy.release("up");
        await waitForFull(stage, downloadId);
        await waitFor(() => strace.lines.some(isShort), "a write to be short");
        await invariants.expectSafe();
        await disk.free();
        await invariants.expectAll(delivered(downloadId, stage, 2));
      },
    );
});

/** Reports whether a traced write took only some of its bytes. */
function isShort(line: string): boolean {
  const [, asked, taken] = /, (\d+), \d+\) += (\d+)/.exec(line) ?? [];
  return asked !== undefined && Number(taken) < Number(asked);
}

test.concurrent("row 23: short writes, all the time", async () => {
  await using stage = await setStage({ size: SIZE, env: WITH_SHORT_WRITES });
  const { system, invariants } = stage;
  const downloadId = await system.pull("file");
  await invariants.expectAll(delivered(downloadId, stage, 0));
  expect(system.server.log()).toContainEqual({ message: "a write is short" });
});

test
  .skipIf(lacksLimits !== "")
  .concurrent(
    `row 23: short writes, up to the most that a file may have${lacksLimits}`,
    async () => {
      await using stage = await setStage({ size: SIZE });
      const { system, proxy, invariants } = stage;
      const { downloadId } = await pullHalf(stage);
      // The limit is one byte above the durable bytes. If another chunk became durable before the error, the
      // count of three tries would start again.
      const { bytes_received } = await system.api.download(downloadId);
      setLimit(system.server, "fsize", bytes_received + 1);
      proxy.release("up");
      await invariants.expectAll({ wanted: new Map([[downloadId, "storage_error"]]), breaks: 3 });
      const { error, attempts } = await system.api.download(downloadId);
      expect({ error, attempts }).toEqual({
        error: "cannot write the part file: EFBIG",
        attempts: 3,
      });
      // A file below the size limit is still downloaded.
      const small = await writeRandom(system.source("small"), MiB);
      await system.expectDelivered(await system.ended(await system.pull("small")), small);
    },
  );
