import { describe, expect, test } from "bun:test";
import { FdsError } from "../../../lib/protocol/errors.ts";
import type { SetFileChange } from "../../../lib/server/set.ts";
import { SetCheckpoints, type SetSnapshot } from "../../../lib/server/transfer/set-checkpoints.ts";
import { waitFor } from "../../support/wait.ts";

/* Which files of a set are recorded as durable, and when. */

const SNAPSHOT: SetSnapshot = {
  current: { index: 7, length: 1_000 },
  bytes: 1_000,
  files: { total: 9, received: 0, unchanged: 0, skipped: 0 },
  totalSize: 5_000,
  streamOffset: 1_000,
};

/** Number of bytes after which a checkpoint is made at once. */
const MANY = 64 * 1024 * 1024;

/** Makes the checkpoints of a set on a disk whose first flushes fail, `failures` times in a row. */
function checkpoints(failures: number) {
  const recorded: SetFileChange[] = [];
  const errors: unknown[] = [];
  const durable: SetSnapshot[] = [];
  let now = SNAPSHOT;
  const folder = {
    flushes: 0,
    onFlush: () => {},
    /** What was done to the folder, in order. */
    done: [] as string[],
    async removeFile(path: string) {
      this.done.push(`remove ${path}`);
    },
    async sync() {
      this.done.push("flush");
      this.onFlush();
      if (this.flushes++ < failures) throw new FdsError("storage_error", "cannot flush: EIO");
    },
  };
  const made = new SetCheckpoints({
    checkpointBytes: MANY,
    attempt: { downloadId: "0198d2a5-0000-7000-8000-000000000001", epoch: 1 },
    folder,
    rows: { update: async (_, changes) => void recorded.push(...changes) },
    takeSnapshot: () => now,
    onDurable: async (snapshot) => void durable.push(snapshot),
    onError: (error) => void errors.push(error),
  });
  /** Receives one more byte. */
  const arrive = () =>
    void (now = { ...now, bytes: now.bytes + 1, streamOffset: now.streamOffset + 1 });
  return { made, folder, recorded, errors, durable, arrive };
}

test("a file that is left out is removed before the flush, and then recorded", async () => {
  const { made, folder, recorded } = checkpoints(0);
  const error = { code: "file_not_found", message: "" } as const;
  made.leaveOut(3, "a/b", error);
  made.leaveOut(4, null, error);
  await made.finish();
  expect(folder.done).toEqual(["remove a/b", "flush"]);
  expect(recorded.slice(0, 2)).toEqual(
    [3, 4].map((index) => ({ index, status: "skipped", error })),
  );
});

test("the end waits for each checkpoint that is under way, also for one that just began", async () => {
  const { made, folder, recorded } = checkpoints(0);
  const flushes = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const sync = folder.sync.bind(folder);
  folder.sync = async () => {
    await flushes[folder.flushes]?.promise;
    await sync();
  };
  const add = (from: number) => {
    for (let index = from; index < from + 4_000; index++) {
      made.leaveOut(index, null, { code: "file_not_found", message: "" });
    }
  };
  add(0);
  add(4_000);
  const ended = made.finish();
  flushes[0]?.resolve();
  await waitFor(() => recorded.length >= 4_000, "the first checkpoint");
  flushes[1]?.resolve();
  expect(await ended).toBe(true);
  expect(recorded.filter(({ status }) => status === "skipped")).toHaveLength(8_000);
});

describe("what arrived", () => {
  test("is in the rows once it is flushed, with the file in the middle of which the set is", async () => {
    const { made, recorded, durable } = checkpoints(0);
    made.add({ index: 3, status: "skipped", error: { code: "file_not_found", message: "" } });
    await made.finish();
    expect(recorded.map(({ index, status }) => [index, status])).toEqual([
      [3, "skipped"],
      [7, "pending"],
    ]);
    expect(durable).toEqual([SNAPSHOT]);
  });

  test("is as safe as it was before the flush, and no more", async () => {
    const { made, folder, durable, arrive } = checkpoints(0);
    folder.onFlush = arrive;
    await made.finish();
    expect(durable).toEqual([SNAPSHOT]);
  });

  test("is not safe after a flush that failed, whatever a later flush says", async () => {
    const { made, folder, recorded, errors, durable } = checkpoints(1);
    made.wrote(MANY);
    await waitFor(() => errors.length === 1, "the flush to fail");
    // An attempt that ends makes a last checkpoint to keep its bytes.
    await made.finish();
    made.wrote(MANY);
    await made.stop();
    expect({ recorded, durable, flushes: folder.flushes }).toEqual({
      recorded: [],
      durable: [],
      flushes: 1,
    });
  });
});
