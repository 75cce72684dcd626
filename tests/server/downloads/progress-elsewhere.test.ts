import { expect, test } from "bun:test";
import type { Downloading } from "../../../lib/server/download.ts";
import { ProgressElsewhere } from "../../../lib/server/downloads/progress-elsewhere.ts";
import { completed, downloading } from "../database/samples.ts";

const at = (durableOffset: number, fields: Partial<Downloading> = {}): Downloading => ({
  ...downloading,
  durableOffset,
  ...fields,
});

test("the pace of a download elsewhere is seen by its row", () => {
  let now = 0;
  const elsewhere = new ProgressElsewhere(() => now);
  expect(elsewhere.progressOf(at(1_000))?.bytesPerSecond).toBeNull();
  now = 1_000;
  expect(elsewhere.progressOf(at(5_000))).toMatchObject({
    bytesReceived: 5_000,
    bytesPerSecond: 4_000,
  });
  now = 2_000;
  expect(elsewhere.progressOf(at(9_000))?.bytesPerSecond).toBe(4_000);
  // A new attempt is measured anew, and an older row does not give a negative rate.
  expect(elsewhere.progressOf(at(20_000, { epoch: 9 }))?.bytesPerSecond).toBeNull();
  now = 3_000;
  expect(elsewhere.progressOf(at(19_000, { epoch: 9 }))?.bytesPerSecond).toBe(0);
  expect(elsewhere.progressOf(completed)).toBeUndefined();
});

test("of no more downloads than there may be it is remembered", () => {
  let now = 0;
  const elsewhere = new ProgressElsewhere(() => now);
  elsewhere.progressOf(at(0, { downloadId: "first" }));
  for (let n = 0; n < 1_000; n++) elsewhere.progressOf(at(0, { downloadId: `other ${n}` }));
  now = 1_000;
  expect(elsewhere.progressOf(at(500, { downloadId: "first" }))?.bytesPerSecond).toBeNull();
  expect(elsewhere.progressOf(at(500, { downloadId: "other 999" }))?.bytesPerSecond).toBe(500);
});
