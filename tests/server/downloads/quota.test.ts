import { expect, test } from "bun:test";
import { findOverQuota, type Quotas } from "../../../lib/server/downloads/quota.ts";
import { states } from "../../support/downloads.ts";
import { MemoryStorage } from "../../support/memory-storage.ts";

const NONE: Quotas = { file: null, perClient: null, total: null };
const MINE = { downloadId: "mine", clientId: "site-1" };

/** 300 bytes of site-1 and 500 of site-2 lie there, and 1000 of restaurant-001 are on their way. */
function check(quotas: Partial<Quotas>, totalSize: number, asked = MINE) {
  const storage = new MemoryStorage();
  storage.files.set("site-1/a", new Uint8Array(300));
  storage.files.set("site-2/a", new Uint8Array(500));
  const repository = { activeDownloads: async () => [states.downloading] };
  return findOverQuota({ ...NONE, ...quotas }, asked, totalSize, storage, repository);
}

test.each([
  ["no quota", {}, 2 ** 40],
  ["the largest file", { file: 100 }, 100],
  ["the last byte of the client's", { perClient: 400 }, 100],
  ["the last byte of all, with what is coming", { total: 1900 }, 100],
])("%s: it may come", async (_, quotas, size) => expect(await check(quotas, size)).toBeNull());

test("a file over the largest size never fits", async () => {
  expect(await check({ file: 100 }, 101)).toEqual({
    problem: { code: "storage_full", message: "the file has 101 B, the most is 100 B" },
    final: true,
  });
});

test("one byte over the client's quota waits, or never fits where it is too large by itself", async () => {
  const message = 'the quota of "site-1" is too small: 300 B of 400 B are used, the file has 101 B';
  expect(await check({ perClient: 400 }, 101)).toEqual({
    problem: { code: "storage_full", message },
    final: false,
  });
  expect(await check({ perClient: 400 }, 401)).toHaveProperty("final", true);
});

test("what others fetch counts to the quota of all, what this download fetched itself does not", async () => {
  expect(await check({ total: 1899 }, 100)).toMatchObject({
    problem: { message: expect.stringContaining("the quota of all clients is too small: 1.8 KiB") },
    final: false,
  });
  const { downloadId, clientId } = states.downloading;
  expect(await check({ perClient: 1000 }, 1000, { downloadId, clientId })).toBeNull();
});
