import { describe, expect, test } from "bun:test";
import { Board, type RunningFilter } from "../../lib/dashboard/board.ts";
import { clientRecord, downloadRecord } from "../support/records.ts";

const NOW = Date.parse("2026-11-23T12:00:00Z");

const client = (client_id: string, connected: boolean) => clientRecord({ client_id, connected });

const download = (
  download_id: string,
  fields: Partial<ReturnType<typeof downloadRecord>>,
): ReturnType<typeof downloadRecord> => downloadRecord({ download_id, client_id: "b", ...fields });

test("sites stand in order: with a problem first, then online, then by name and number", () => {
  const board = new Board();
  for (const [id, connected] of [
    ["site-10", true],
    ["site-9", true],
    ["a", false],
    ["B", true],
  ] as const) {
    board.setClient(client(id, connected));
  }
  expect(board.sites().map((site) => site.client.client_id)).toEqual([
    "B",
    "site-9",
    "site-10",
    "a",
  ]);
  board.setClient(client("B", false));
  expect(board.sites().map((site) => site.client.client_id)).toEqual([
    "site-9",
    "site-10",
    "a",
    "B",
  ]);
  board.setClient({ ...client("a", false), problem: "two machines use this id" });
  expect(board.sites().map((site) => site.client.client_id)).toEqual([
    "a",
    "site-9",
    "site-10",
    "B",
  ]);
  expect(board.isOnline("B")).toBe(false);
  expect(board.isOnline("site-9")).toBe(true);
  expect(board.isOnline("never seen")).toBe(false);
});

test("what goes on is counted by site and in all, and forgotten when it ends", () => {
  const board = new Board();
  board.setClient(client("a", true));
  board.setClient(client("b", true));
  board.setDownload(download("1", { status: "downloading", bytes_per_second: 100 }), NOW);
  board.setDownload(download("2", { status: "downloading", bytes_per_second: null }), NOW);
  board.setDownload(download("3", { status: "verifying" }), NOW);
  board.setDownload(download("4", { status: "queued" }), NOW);
  board.setDownload(
    download("5", { status: "downloading", client_id: "a", bytes_per_second: 7 }),
    NOW,
  );
  board.setDownload(download("6", { status: "queued", client_id: "nobody" }), NOW);
  const active = () =>
    board.sites().map((site) => [site.client.client_id, site.active.length, site.queued]);
  expect(active()).toEqual([
    ["a", 1, 0],
    ["b", 3, 1],
  ]);
  expect(board.bytesPerSecond).toBe(107);
  expect(board.downloadCounts).toEqual({ active: 4, queued: 2 });

  for (const [id, status] of [
    ["1", "completed"],
    ["2", "failed"],
    ["4", "cancelled"],
  ] as const) {
    board.setDownload(download(id, { status, bytes_per_second: 100 }), NOW);
  }
  expect(active()).toEqual([
    ["a", 1, 0],
    ["b", 1, 0],
  ]);
  expect(board.bytesPerSecond).toBe(7);

  board.clearDownloads();
  expect(board.downloadCounts).toEqual({ active: 0, queued: 0 });
  expect(board.sites()).toHaveLength(2);
});

describe("what ran until a moment ago", () => {
  const MINUTE = 60_000;
  const shown = (board: Board, now: number, of: RunningFilter = {}) =>
    board.running(of, now).map(({ download_id, status }) => `${download_id} ${status}`);

  test("stays in its place for a minute, with what became of it", () => {
    const board = new Board();
    for (const id of ["1", "2", "3"]) {
      board.setDownload(download(id, { status: "downloading" }), NOW);
    }
    board.setDownload(download("2", { status: "completed" }), NOW);
    board.setDownload(download("3", { status: "queued" }), NOW);
    expect(shown(board, NOW)).toEqual(["3 queued", "2 completed", "1 downloading"]);
    expect(shown(board, NOW + MINUTE)).toEqual(["3 queued", "2 completed", "1 downloading"]);
    board.setDownload(download("3", { status: "verifying" }), NOW + MINUTE);
    expect(shown(board, NOW + MINUTE + 1)).toEqual(["3 verifying", "1 downloading"]);
    board.setDownload(download("3", { status: "completed" }), NOW + 2 * MINUTE);
    expect(shown(board, NOW + 2 * MINUTE)).toEqual(["3 completed", "1 downloading"]);
  });

  test("is of the site that is asked for", () => {
    const board = new Board();
    board.setDownload(download("1", { status: "downloading", client_id: "a" }), NOW);
    board.setDownload(download("2", { status: "downloading", client_id: "b" }), NOW);
    expect(shown(board, NOW, { clientId: "a" })).toEqual(["1 downloading"]);
  });

  test("is nothing that never ran, and no more than a few", () => {
    const board = new Board();
    board.setDownload(download("00", { status: "queued" }), NOW);
    board.setDownload(download("00", { status: "cancelled" }), NOW);
    for (let number = 10; number < 60; number++) {
      board.setDownload(download(String(number), { status: "downloading" }), NOW);
      board.setDownload(download(String(number), { status: "completed" }), NOW);
    }
    expect(shown(board, NOW)).toEqual(
      Array.from({ length: 10 }, (_, index) => `${59 - index} completed`),
    );
  });
});
