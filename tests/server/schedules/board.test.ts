import { expect, test } from "bun:test";
import type { Cell, DeliveryStatus, TimeBounds } from "../../../lib/server/schedule.ts";
import { boardOf } from "../../../lib/server/schedules/board.ts";
import { atOnce } from "../../../lib/util/fair-turns.ts";

/* Boards of any size, which are read in pieces. */

const NONE = {
  expected: [],
  running: [],
  received: [],
  partial: [],
  missing: [],
  late: [],
  skipped: [],
};

/**
 * Rows in memory: the deliveries of each time. `reads` collects the number of cells that each read asked for.
 */
function rowsOf(times: Record<string, Cell[]>) {
  const sorted = Object.keys(times).toSorted().toReversed();
  const reads: number[] = [];
  return {
    reads,
    newestTime: async (_: string, { before, localFrom = "", localTo = "~" }: TimeBounds) =>
      sorted.find(
        (time) => (before === undefined || time < before) && time >= localFrom && time <= localTo,
      ),
    cells: async (
      { localTime }: { localTime: string },
      after: string,
      _: unknown,
      limit: number,
    ) => {
      reads.push(limit);
      return (times[localTime] ?? []).filter(({ clientId }) => clientId > after).slice(0, limit);
    },
  };
}

const cell = (clientId: string, status: DeliveryStatus, dueAt = 1, jobId = "j"): Cell => ({
  clientId,
  status,
  dueAt,
  jobId: status === "skipped" ? null : jobId,
});
const many = (count: number) =>
  Array.from({ length: count }, (_, n) => cell(`site-${String(n).padStart(6, "0")}`, "received"));
const board = (times: Record<string, Cell[]>, filter: TimeBounds & { limit?: number } = {}) =>
  boardOf(rowsOf(times), "s", { sites: null, limit: 30, ...filter }, atOnce);

test("a time says who is how, when the next is due, and by which jobs", async () => {
  const cells = [
    cell("a", "received", 1),
    cell("b", "expected", 9),
    cell("c", "missing", 2, "k"),
    cell("d", "running", 7),
    cell("e", "skipped"),
    cell("f", "missing", 3),
  ];
  expect(await board({ t1: cells })).toEqual({
    times: [
      {
        localTime: "t1",
        clients: {
          ...NONE,
          received: ["a"],
          expected: ["b"],
          missing: ["c", "f"],
          running: ["d"],
          skipped: ["e"],
        },
        nextDueAt: 7,
        jobIds: new Set(["j", "k"]),
      },
    ],
    next: null,
  });
});

test("times come newest first, as many as are wanted, and say where the others begin", async () => {
  const times = Object.fromEntries(["t1", "t2", "t3", "t4"].map((time) => [time, many(1)]));
  const shown = async (filter: TimeBounds & { limit?: number }) => {
    const { times: some, next } = await board(times, filter);
    return [some.map(({ localTime }) => localTime).join(), next];
  };
  expect(await shown({})).toEqual(["t4,t3,t2,t1", null]);
  expect(await shown({ limit: 2 })).toEqual(["t4,t3", "t3"]);
  expect(await shown({ limit: 2, before: "t3" })).toEqual(["t2,t1", null]);
  expect(await shown({ localFrom: "t2", localTo: "t3" })).toEqual(["t3,t2", null]);
});

test("a great fleet is read in pieces, and comes in several answers of whole times", async () => {
  const times = Object.fromEntries(["t1", "t2", "t3"].map((time) => [time, many(26_000)]));
  const rows = rowsOf(times);
  const first = await boardOf(rows, "s", { sites: null, limit: 30 }, atOnce);
  expect(first.times.map(({ clients }) => clients.received.length)).toEqual([26_000, 26_000]);
  expect(first.next).toBe("t2");
  expect(Math.max(...rows.reads)).toBeLessThanOrEqual(500);
});

test("times at which others alone were asked are not shown, and do not take for ever", async () => {
  const empty = Array.from({ length: 3_000 }, (_, n) => [`t${String(n).padStart(4, "0")}`, []]);
  const times = { ...Object.fromEntries(empty), t0000: many(2) } as Record<string, Cell[]>;
  let answers = 0;
  const found: string[] = [];
  for (let before: string | undefined; ;) {
    const { times: some, next } = await board(times, { before });
    found.push(...some.map(({ localTime }) => localTime));
    answers++;
    if (next === null) break;
    before = next;
  }
  expect([found, answers]).toEqual([["t0000"], 3]);
});
