import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { savedPath } from "../../lib/server/storage/names.ts";
import { lacksStrace } from "../support/machine.ts";
import { Strace } from "../support/strace.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { pullHalf } from "./half.ts";
import { delivered, MiB, setStage, type Stage } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

/* Rows 24 to 26 of the fault table: system calls of the server or the client fail. */

const SIZE = 8 * MiB;

/** System calls to fail, and how often they fail. */
interface Refusal {
  row: string;
  calls: string;
  /** Path of the file or folder, relative to the server's downloads folder. By default the part file. */
  path?: string;
  times: number;
}

const REFUSALS: Refusal[] = [
  { row: "row 24: EIO at fsync, once", calls: "fdatasync", times: 1 },
  { row: "row 24: EIO at fsync of the folder", calls: "fsync", path: "site-1", times: 1 },
  {
    row: "row 24: EIO at fsync of the database's log",
    calls: "fdatasync",
    path: ".server/state.db-wal",
    times: 1,
  },
  { row: "row 26: EIO at link", calls: "link,linkat", times: 1 },
];

describe.skipIf(lacksStrace !== "")(`calls that fail${lacksStrace}`, () => {
  for (const { row, calls, path, times } of REFUSALS) {
    test.concurrent(row, async () => {
      await using stage = await setStage({ size: SIZE });
      const { system, proxy, invariants } = stage;
      const { downloadId, part } = await pullHalf(stage);
      const strace = await Strace.attach(system.server, system.folder, {
        calls,
        inject: "error=EIO",
        path: path === undefined ? part : join(system.folder, "downloads", path),
      });
      proxy.release("up");
      await waitFor(() => strace.injected >= times, `${calls} to fail`);
      await invariants.expectSafe();
      await strace[Symbol.asyncDispose]();
      await invariants.expectAll(delivered(downloadId, stage, 1 + times));
    });
  }

  test.concurrent(
    "row 24: EIO at every fsync: the download fails, and tells the cause",
    async () => {
      await using stage = await setStage({ size: SIZE });
      const { system, proxy, invariants } = stage;
      const { downloadId, part } = await pullHalf(stage);
      await using strace = await Strace.attach(system.server, system.folder, {
        calls: "fsync,fdatasync",
        inject: "error=EIO",
        path: part,
      });
      proxy.release("up");
      await expectFailure(stage, downloadId, "storage_error", "cannot flush the part file: EIO");
      // The server makes three attempts, each with few flushes. It gives up the open part file after a
      // failed flush, instead of flushing again and again.
      expect(strace.injected).toBeLessThanOrEqual(6);
      await invariants.expectAll({ wanted: new Map([[downloadId, "storage_error"]]), breaks: 3 });
    },
  );

  test.concurrent("row 25: EIO reading the source, once on each thread that reads", async () => {
    await using stage = await setStage({ size: SIZE });
    const { system, proxy, client, invariants } = stage;
    const { downloadId } = await pullHalf(stage);
    await using strace = await Strace.attach(client, system.folder, {
      calls: "pread64",
      inject: "error=EIO:when=1",
      path: system.source("file"),
    });
    proxy.release("up");
    await invariants.expectEnded(new Map([[downloadId, stage.wanted]]));
    expect(strace.injected).toBeGreaterThan(0);
    const { attempts } = await system.api.download(downloadId);
    expect(attempts).toBeLessThanOrEqual(1 + strace.injected);
    expect(client.log()).toContainEqual(expect.objectContaining({ code: "file_unreadable" }));
    await strace[Symbol.asyncDispose]();
    await invariants.expectAll(delivered(downloadId, stage, 1));
  });

  test.concurrent("row 25: EIO reading the source", async () => {
    await using stage = await setStage({ size: SIZE });
    const { system, proxy, client, invariants } = stage;
    const { downloadId } = await pullHalf(stage);
    await using strace = await Strace.attach(client, system.folder, {
      calls: "read,pread64,readv,preadv,preadv2",
      inject: "error=EIO",
      path: system.source("file"),
    });
    proxy.release("up");
    await expectFailure(stage, downloadId, "file_unreadable", "EIO");
    expect(strace.injected).toBeLessThanOrEqual(6);
    await invariants.expectAll({ wanted: new Map([[downloadId, "file_unreadable"]]), breaks: 3 });
  });
});

async function expectFailure(
  { system }: Stage,
  downloadId: string,
  code: string,
  cause: string,
): Promise<void> {
  const record = await system.ended(downloadId);
  expect(record).toMatchObject({ status: "failed", error_code: code, attempts: 3 });
  expect(record.error).toContain(cause);
}

test("row 26: the final name is taken by somebody else's file", async () => {
  await using stage = await setStage({ size: SIZE });
  const { system, proxy, invariants } = stage;
  const { downloadId } = await pullHalf(stage);
  await mkdir(join(system.folder, "downloads/site-1"));
  // Takes every name that the server could choose within the next minute, as names contain the second.
  const taken = Array.from({ length: 60 }, (_, second) => {
    const path = savedPath("site-1", "file", Date.now() + second * 1000, 1);
    return join(system.folder, "downloads", path);
  });
  for (const path of taken) await writeFile(path, "somebody else's");
  proxy.release("up");
  await invariants.expectEnded(delivered(downloadId, stage, 0).wanted);
  const { saved_path } = await system.api.download(downloadId);
  expect(saved_path).toMatch(/_file-2$/);
  for (const path of taken) expect(await Bun.file(path).text()).toBe("somebody else's");
  await system.expectNoParts();
});
