import { beforeEach, describe, expect, test } from "bun:test";
import type { DownloadList, DownloadRecord } from "../../lib/api/schemas.ts";
import type { ListQuery } from "../../lib/dashboard/api.ts";
import { Listing, PAGE_SIZE } from "../../lib/dashboard/listing.ts";
import { downloadRecord } from "../support/records.ts";

/** Returns the id of the n-th download. Ids are in the order of creation. */
const idOf = (number: number) => `id-${String(number).padStart(6, "0")}`;

function record(number: number, fields: Partial<DownloadRecord> = {}): DownloadRecord {
  return downloadRecord({ download_id: idOf(number), status: "completed", ...fields });
}

/** The downloads of the server, oldest first. */
let stored: DownloadRecord[];
let asked: ListQuery[];
let listing: Listing;

/** Answers GET /api/downloads as the server does. */
function answer(query: ListQuery): DownloadList {
  const { status, client_id, open, download_id, cursor, limit = 50 } = query;
  const found = stored
    .toReversed()
    .filter((row) => download_id === undefined || row.download_id === download_id)
    .filter((row) => open === undefined || row.retried_as === null)
    .filter((row) => status === undefined || row.status === status)
    .filter((row) => client_id === undefined || row.client_id === client_id)
    .filter((row) => cursor === undefined || row.download_id < cursor);
  const downloads = found.slice(0, limit);
  const more = found.length > limit;
  return { downloads, next_cursor: more ? downloads.at(-1)!.download_id : null };
}

beforeEach(() => {
  stored = Array.from({ length: PAGE_SIZE * 3 - 10 }, (_, index) => record(index));
  asked = [];
  listing = new Listing(async (query) => {
    asked.push(query);
    return answer(query);
  });
});

const shown = () => listing.rows.map((row) => row.download_id);
const newest = (count: number, from = stored.length) =>
  Array.from({ length: count }, (_, index) => idOf(from - 1 - index));

describe("pages", () => {
  test("go back in time and forth again", async () => {
    await listing.reload();
    expect(shown()).toEqual(newest(PAGE_SIZE));
    await listing.older();
    expect(shown()).toEqual(newest(PAGE_SIZE, stored.length - PAGE_SIZE));
    await listing.older();
    expect(listing.pageNumber).toBe(3);
    expect(listing.hasOlder).toBe(false);
    expect(listing.rows).toHaveLength(PAGE_SIZE - 10);
    await listing.older();
    expect(listing.pageNumber).toBe(3);
    await listing.newer();
    await listing.newer();
    expect(shown()).toEqual(newest(PAGE_SIZE));
    expect(listing.pageNumber).toBe(1);
  });

  test("leave nothing out, also when the first one moved on", async () => {
    await listing.reload();
    for (let index = 0; index < 7; index++) {
      stored.push(record(stored.length));
      listing.update(stored.at(-1)!);
    }
    expect(shown()).toEqual(newest(PAGE_SIZE));
    await listing.older();
    expect(shown()).toEqual(newest(PAGE_SIZE, stored.length - PAGE_SIZE));
  });

  test("are of the filter, and begin anew with another one", async () => {
    stored[3] = record(3, { status: "failed", client_id: "site-2" });
    await listing.reload();
    await listing.older();
    await listing.setFilter({ status: "failed", clientId: "site-2" });
    expect(asked.at(-1)).toEqual({ limit: PAGE_SIZE, status: "failed", client_id: "site-2" });
    expect(shown()).toEqual([idOf(3)]);
    expect(listing.pageNumber).toBe(1);
  });

  test("are known to be empty only once the server said so", async () => {
    stored = [];
    expect(listing.isLoaded).toBe(false);
    await listing.reload();
    expect(listing.isLoaded).toBe(true);
    expect(shown()).toEqual([]);
  });
});

describe("an event", () => {
  test("changes the row that is shown", async () => {
    await listing.reload();
    const number = stored.length - 3;
    expect(listing.update(record(number, { percent: 7 }))).toBe(true);
    expect(listing.rows[2]).toMatchObject({ download_id: idOf(number), percent: 7 });
    expect(listing.rows).toHaveLength(PAGE_SIZE);
  });

  test("of a new download puts it first, and the page grows no longer", async () => {
    await listing.reload();
    listing.update(record(stored.length));
    expect(shown()).toEqual(newest(PAGE_SIZE, stored.length + 1));
  });

  test("of a download on another page changes nothing", async () => {
    await listing.reload();
    const before = shown();
    expect(listing.update(record(1, { percent: 7 }))).toBe(true);
    expect(shown()).toEqual(before);
    await listing.older();
    const second = shown();
    expect(listing.update(record(stored.length))).toBe(true);
    expect(shown()).toEqual(second);
  });

  test("takes away what the filter no longer lets through, and says that there is a gap", async () => {
    await listing.setFilter({ status: "completed" });
    expect(listing.update(record(stored.length - 1, { status: "failed" }))).toBe(false);
    expect(shown()).toEqual(newest(PAGE_SIZE - 1, stored.length - 1));
  });

  test("of a retry takes the old one away from what is still owed", async () => {
    stored = [0, 1, 2].map((number) => record(number, { status: "failed" }));
    await listing.setFilter({ status: "failed", open: true });
    expect(asked.at(-1)).toEqual({ limit: PAGE_SIZE, status: "failed", open: "true" });
    listing.update(record(1, { status: "failed", retried_as: idOf(3) }));
    listing.update(record(3, { status: "downloading" }));
    expect(shown()).toEqual([idOf(2), idOf(0)]);
    listing.update(record(3, { status: "failed" }));
    expect(shown()).toEqual([idOf(3), idOf(2), idOf(0)]);
  });

  test("of another download than the one that is shown changes nothing", async () => {
    await listing.setFilter({ downloadId: idOf(7) });
    expect(shown()).toEqual([idOf(7)]);
    listing.update(record(8));
    listing.update(record(7, { status: "cancelled" }));
    expect(listing.rows).toMatchObject([{ download_id: idOf(7), status: "cancelled" }]);
  });

  test("puts in its place what the filter lets through from now on", async () => {
    stored = stored.slice(0, 4);
    stored[1] = record(1, { status: "failed" });
    await listing.setFilter({ status: "completed" });
    listing.update(record(1));
    expect(shown()).toEqual(newest(4));
  });

  test("that comes while a page is asked for is not lost with the answer", async () => {
    const asking = listing.reload();
    listing.update(record(stored.length - 1, { status: "failed" }));
    listing.update(record(stored.length));
    await asking;
    expect(listing.rows[0]).toMatchObject({ download_id: idOf(stored.length) });
    expect(listing.rows[1]).toMatchObject({ status: "failed" });
  });
});

test("an answer that was overtaken by another is not shown", async () => {
  const answers: PromiseWithResolvers<DownloadList>[] = [];
  const slow = new Listing(() => {
    const pending = Promise.withResolvers<DownloadList>();
    answers.push(pending);
    return pending.promise;
  });
  const first = slow.setFilter({ status: "failed" });
  const second = slow.setFilter({ status: "completed" });
  answers[1]!.resolve({ downloads: [record(2)], next_cursor: null });
  await second;
  answers[0]!.resolve({ downloads: [record(1, { status: "failed" })], next_cursor: null });
  await first;
  expect(slow.rows.map((row) => row.download_id)).toEqual([idOf(2)]);
});

test("a page that could not be had leaves the one that is shown", async () => {
  await listing.reload();
  const before = shown();
  let fails = true;
  const flaky = new Listing(async (query) => {
    if (fails) throw new Error("No answer from the server");
    return answer(query);
  });
  await expect(flaky.reload()).rejects.toThrow("No answer");
  fails = false;
  await flaky.reload();
  expect(flaky.rows.map((row) => row.download_id)).toEqual(before);
});
