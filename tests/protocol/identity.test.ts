import { expect, test } from "bun:test";
import { type FileIdentity, isUnchanged, mayBeUnchanged } from "../../lib/protocol/identity.ts";

const before: FileIdentity = {
  size: 1000,
  mtime_ns: "1700000000000000001",
  ctime_ns: "1700000000000000002",
  inode: "42",
  device: "2049",
};
const touched = { mtime_ns: "1700000000000000009", ctime_ns: "1700000000000000009" };

test.each<[what: string, change: Partial<FileIdentity>, same: boolean]>([
  ["nothing changed", {}, true],
  ["it grew, as a log does", { size: 1001, ...touched }, true],
  ["it grew, times as they were", { size: 1001 }, true],
  ["it shrank", { size: 999, ...touched }, false],
  ["it shrank, times as they were", { size: 999 }, false],
  ["it was emptied", { size: 0, ...touched }, false],
  ["it was written in place", touched, false],
  ["only the mtime changed", { mtime_ns: touched.mtime_ns }, false],
  ["the mtime was set back", { ctime_ns: touched.ctime_ns }, false],
  ["it was replaced by another", { inode: "43" }, false],
  ["it was replaced by a longer one", { inode: "43", size: 2000 }, false],
  ["another disk was mounted there", { device: "2050" }, false],
  ["another disk, a longer file", { device: "2050", size: 2000 }, false],
])("the part that was read is still right: %s", (_, change, same) => {
  expect(isUnchanged(before, { ...before, ...change })).toBe(same);
});

test("an empty file that grew is still the empty file it was", () => {
  expect(isUnchanged({ ...before, size: 0 }, { ...before, size: 5, ...touched })).toBe(true);
});

test.each<[what: string, change: Partial<FileIdentity>, may: boolean]>([
  ["nothing changed", {}, true],
  ["it was touched, or written in place", touched, true],
  ["it got a hard link, or another name", { ctime_ns: touched.ctime_ns }, true],
  ["a network share tells of another time", { mtime_ns: touched.mtime_ns }, true],
  ["it grew", { size: 1001, ...touched }, true],
  ["it shrank", { size: 999 }, false],
  ["it was replaced by another", { inode: "43" }, false],
  ["another disk was mounted there", { device: "2050" }, false],
])("the part that was read may still be right, its bytes tell: %s", (_, change, may) => {
  expect(mayBeUnchanged(before, { ...before, ...change })).toBe(may);
});
