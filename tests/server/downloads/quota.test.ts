import { expect, test } from "bun:test";
import type { Active } from "../../../lib/server/download.ts";
import { findOverQuota, type Quotas, reservedFor } from "../../../lib/server/downloads/quota.ts";
import { states } from "../../support/downloads.ts";

const NONE: Quotas = { file: null, perClient: null, total: null };
const MINE = { downloadId: "mine", clientId: "site-1" };

/** A running download of restaurant-001, with 400 of 1000 bytes received. */
const { downloading } = states;
const SOON = downloading.startedAt + 1_000;

/** Checks the quotas while 300 bytes of site-1 and 500 of site-2 are stored, and {@link downloading} runs. */
function check(quotas: Partial<Quotas>, totalSize: number, asked = MINE, now = SOON) {
  const stored: Record<string, number> = { "site-1": 300, "site-2": 500 };
  const usedBytes = async (clientId?: string) =>
    clientId === undefined ? 800 : (stored[clientId] ?? 0);
  const repository = { activeDownloads: async () => [downloading], keep: { usedBytes } };
  return findOverQuota({ ...NONE, ...quotas }, asked, totalSize, repository, now);
}

test.each([
  ["no quota", {}, 2 ** 40],
  ["the largest file", { file: 100 }, 100],
  ["the last byte of the client's", { perClient: 400 }, 100],
  ["the last byte of all, with what is coming", { total: 1900 }, 100],
])("%s: it may come", async (_, quotas, size) => expect(await check(quotas, size)).toBeNull());

test("a file over the largest size never fits", async () => {
  expect(await check({ file: 100 }, 101)).toEqual({
    clientId: null,
    problem: { code: "storage_full", message: "the file has 101 B, the most is 100 B" },
    final: true,
  });
});

test("one byte over the client's quota waits, or never fits where it is too large by itself", async () => {
  const message = 'the quota of "site-1" is too small: 300 B of 400 B are used, the file has 101 B';
  expect(await check({ perClient: 400 }, 101)).toEqual({
    clientId: "site-1",
    problem: { code: "storage_full", message },
    final: false,
  });
  expect(await check({ perClient: 400 }, 401)).toHaveProperty("final", true);
});

test("what others fetch counts to the quota of all, what this download fetched itself does not", async () => {
  expect(await check({ total: 1899 }, 100)).toMatchObject({
    clientId: null,
    problem: { message: expect.stringContaining("the quota of all clients is too small: 1.8 KiB") },
    final: false,
  });
  const { downloadId, clientId } = downloading;
  expect(await check({ perClient: 1000 }, 1000, { downloadId, clientId })).toBeNull();
});

test("what a client says and does not send is kept for it for 10 s, and then what it is about to send", async () => {
  const after = (seconds: number) => downloading.startedAt + seconds * 1000;
  const fits = (seconds: number) => check({ total: 1500 }, 100, MINE, after(seconds));
  expect(await fits(9)).not.toBeNull();
  // Only 400 bytes came in 120 s, so no more than another 200 bytes are reserved for the next minute.
  expect(await fits(119)).not.toBeNull();
  expect(await fits(121)).toBeNull();
});

test.each<[string, Active, number, number]>([
  ["nothing, where its size is not known", { ...downloading, source: null }, 1, 0],
  ["what it says, at its beginning", { ...downloading, durableOffset: 0 }, 9, 1000],
  [
    "what it says, also where the clock was put back",
    { ...downloading, durableOffset: 0 },
    -99,
    1000,
  ],
  ["nothing, where nothing comes", { ...downloading, durableOffset: 0 }, 11, 0],
  ["what it says, where it comes", downloading, 30, 1000],
  ["what came and a minute of its pace, where it hardly comes", downloading, 1200, 420],
  ["all of it, where it came whole", states.verifying, 9999, 1000],
])("of a download is kept %s", (_, download, seconds, bytes) => {
  expect(reservedFor(download, downloading.startedAt + seconds * 1000)).toBe(bytes);
});
