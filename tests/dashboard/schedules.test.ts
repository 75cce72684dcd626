import { describe, expect, test } from "bun:test";
import type { BoardTime, DeliveryStatus } from "../../lib/api/deliveries.ts";
import { NewSchedule, ScheduleRecord } from "../../lib/api/schedules.ts";
import { DeliveryBook } from "../../lib/dashboard/schedules/delivery-book.ts";
import {
  type DeliveryCounts,
  timeWords,
  partsOf,
  summaryOf,
  WORST_FIRST,
  worstOf,
} from "../../lib/dashboard/schedules/delivery-words.ts";
import {
  changeOf,
  fieldsOf,
  orderOf,
  type ScheduleFields,
  previewOf,
  sentenceOf,
  DEFAULT_FIELDS,
} from "../../lib/dashboard/schedules/schedule-order.ts";
import * as words from "../../lib/dashboard/schedules/schedule-words.ts";

const countsOf = (some: Partial<DeliveryCounts>) =>
  ({
    ...Object.fromEntries(WORST_FIRST.map((status) => [status, 0])),
    ...some,
  }) as DeliveryCounts;

const NIGHTS = ["2026-11-30T02:30:00", "2026-11-29T02:30:00", "2026-11-28T02:30:00"] as const;

/** Returns one scheduled time of the board, with the status of each site at that time. */
const timeOf = (scheduled_local: string, sites: Record<string, DeliveryStatus>): BoardTime => {
  const clientsOf = (status: DeliveryStatus) =>
    Object.keys(sites).filter((site) => sites[site] === status);
  const isAwaited = clientsOf("expected").length + clientsOf("running").length > 0;
  return {
    scheduled_local,
    clients: Object.fromEntries(
      WORST_FIRST.map((status) => [status, clientsOf(status)]),
    ) as BoardTime["clients"],
    next_due_at: isAwaited ? `${scheduled_local.slice(0, 10)}T04:00:00.000Z` : null,
    job_ids: [`job of ${scheduled_local}`],
  };
};

/** Returns the server's record of a schedule that the form has made. */
const recordOf = (order: NewSchedule): ScheduleRecord => {
  const { spread, keep, paused, name, cron, time_zone } = NewSchedule.parse(order);
  return ScheduleRecord.parse({
    ...order,
    name,
    cron,
    time_zone,
    spread: spread === null || spread === undefined ? null : order.spread,
    keep: keep ?? null,
    paused,
    paused_because: null,
    created_at: "2026-11-30T00:00:00.000Z",
    created_by: null,
    next_at: null,
    latest: null,
    may_change: true,
  });
};

describe("deliveries in words", () => {
  test.each<[Partial<DeliveryCounts>, string, DeliveryStatus | null]>([
    [{ missing: 3, late: 2, received: 295 }, "3 missing, 2 late of 300", "missing"],
    [{ partial: 1, received: 1 }, "1 partial of 2", "partial"],
    [{ running: 1, expected: 1200, received: 7 }, "1 running, 1,200 expected of 1,208", "running"],
    [{ received: 300 }, "all 300 received", "received"],
    [{ received: 1 }, "received", "received"],
    [{}, "nothing expected", null],
  ])("%p are told as %p", (some, sums, worst) => {
    expect(summaryOf(countsOf(some))).toBe(sums);
    expect(worstOf(countsOf(some))).toBe(worst);
  });

  test("a local time is that of the wall, whatever the zone of the browser", () => {
    expect(timeWords("2026-11-30T02:30:00")).toBe("Mon, Nov 30, 02:30");
    expect(partsOf("2026-03-01T00:00:07")).toEqual({
      month: "Mar",
      weekday: "Sun",
      day: "1",
      time: "00:00:07",
    });
  });
});

describe("the book of deliveries", () => {
  test("who owes something of the main time comes first, then who owes more", () => {
    const book = new DeliveryBook();
    book.set(
      timeOf(NIGHTS[0], {
        "site-2": "missing",
        "site-10": "partial",
        "site-1": "received",
        "site-3": "late",
      }),
    );
    book.set(timeOf(NIGHTS[1], { "site-3": "missing", "site-9": "skipped" }));
    book.set(timeOf(NIGHTS[2], { "site-3": "missing" }));
    const nights = book.newestTimes(30);
    expect(nights).toEqual([...NIGHTS]);
    expect(book.rowsOf(nights)).toEqual([
      { clientId: "site-2", owed: 1 },
      { clientId: "site-10", owed: 1 },
      { clientId: "site-3", owed: 2 },
      { clientId: "site-1", owed: 0 },
      { clientId: "site-9", owed: 0 },
    ]);
    expect(book.sitesOwing(NIGHTS[0]).toSorted()).toEqual(["site-10", "site-2"]);
    expect(book.countsOf(NIGHTS[0])).toEqual(
      countsOf({ missing: 1, partial: 1, received: 1, late: 1 }),
    );
    expect([book.get(NIGHTS[0], "site-3"), book.get(NIGHTS[0], "site-9")]).toEqual([
      "late",
      undefined,
    ]);
    expect(book.newestTimes(2)).toEqual([...NIGHTS.slice(0, 2)]);
  });

  test("what a few were asked for by hand does not hide how the fleet stands", () => {
    const book = new DeliveryBook();
    const all = { a: "missing", b: "missing", c: "missing", d: "missing" } as const;
    book.set(timeOf(NIGHTS[1], all));
    book.set(timeOf(NIGHTS[0], { a: "received" }));
    expect(book.mainTime(book.newestTimes(30))).toBe(NIGHTS[1]);
    book.set(timeOf(NIGHTS[0], { a: "received", b: "received" }));
    expect(book.mainTime(book.newestTimes(30))).toBe(NIGHTS[0]);
    expect(new DeliveryBook().mainTime([])).toBeNull();
  });

  test("it knows what is due next, and what is overdue", () => {
    const book = new DeliveryBook();
    book.set(timeOf(NIGHTS[0], { a: "expected" }));
    book.set(timeOf(NIGHTS[1], { a: "running" }));
    book.set(timeOf(NIGHTS[2], { a: "missing" }));
    const at = (night: string) => Date.parse(`${night.slice(0, 10)}T04:00:00.000Z`);
    expect(book.nextDue()).toBe(at(NIGHTS[1]));
    expect(book.overdue(at(NIGHTS[1]) - 1)).toEqual([]);
    expect(book.overdue(at(NIGHTS[1]))).toEqual([NIGHTS[1]]);
    book.set(timeOf(NIGHTS[1], { a: "late" }));
    book.set(timeOf(NIGHTS[0], { a: "received" }));
    expect(book.nextDue()).toBeNull();
    expect(book.size).toBe(3);
    expect(book.localTimeOf(`job of ${NIGHTS[2]}`)).toBe(NIGHTS[2]);
    book.clear();
    expect([book.size, book.newestTimes(30), book.localTimeOf(`job of ${NIGHTS[2]}`)]).toEqual([
      0,
      [],
      undefined,
    ]);
  });
});

describe("a schedule in words", () => {
  test.each<[string, words.DailyTime | null, string]>([
    ["30 2 * * *", { time: "02:30", days: [...words.DAYS] }, "every day at 02:30"],
    [
      "0 14 * * mon-fri",
      { time: "14:00", days: words.DAYS.slice(0, 5) },
      "Mon, Tue, Wed, Thu, Fri at 14:00",
    ],
    ["5 0 * * SAT,sun", { time: "00:05", days: ["sat", "sun"] }, "Sat, Sun at 00:05"],
    ["30 2 1 * *", null, "30 2 1 * *"],
    ["*/5 2 * * *", null, "*/5 2 * * *"],
    ["30 24 * * *", null, "30 24 * * *"],
    ["60 2 * * *", null, "60 2 * * *"],
    ["30 2 * * fri-mon", null, "30 2 * * fri-mon"],
    ["30 2 * * 1", null, "30 2 * * 1"],
    ["30 2 * * xyz", null, "30 2 * * xyz"],
    ["@daily", null, "@daily"],
  ])("%p", (cron, daily, when) => {
    expect(words.dailyTimeOf(cron)).toEqual(daily);
    expect(words.whenOf(cron)).toBe(when);
    if (daily) expect(words.dailyTimeOf(words.cronOf(daily))).toEqual(daily);
  });

  test("no day of the week means every day, and no time of the day means nothing", () => {
    expect(words.cronOf({ time: "02:30", days: [] })).toBe("30 2 * * *");
    expect(() => words.cronOf({ time: "", days: [] })).toThrow("Say a time of the day");
  });

  test("all of it on one line", () => {
    const order = orderOf({ ...DEFAULT_FIELDS, what: "sales-{date-1d}.csv", keepLast: "3" });
    expect(words.aboutOf(recordOf(order!))).toBe(
      "every day at 02:30, each site's own time, due at 04:00 · all sites · sales-{date-1d}.csv · kept 90 days or the last 3 kept",
    );
  });
});

describe("the form of a schedule", () => {
  const other: ScheduleFields = {
    ...DEFAULT_FIELDS,
    name: "logs",
    when: "cron",
    cron: "*/15 * * * *",
    zone: "Europe/Berlin",
    sitesBy: "ids",
    sites: "till-1, till-2*",
    what: "logs/*.txt\njournal/",
    due: "after",
    dueAfter: "90m",
    keepDays: "",
    keepLast: "7",
    expectFiles: "2",
    expectBytes: "100",
    spread: "10m",
    catchUp: "1h",
    mayOverlap: true,
  };

  test("what it begins with is every night at 2:30, due at 4, kept 90 days", () => {
    expect(orderOf(DEFAULT_FIELDS)).toMatchObject({
      name: "nightly",
      cron: "30 2 * * *",
      time_zone: "site",
      job: { clients: { all: true }, download: { file_path: "file_to_download.txt" } },
      due: { at: "04:00" },
      keep: { days: 90 },
    });
    expect(sentenceOf(DEFAULT_FIELDS)).toBe(
      "Every day at 02:30 by each site's own clock, due at 04:00, kept 90 days",
    );
    expect(sentenceOf(other)).toBe(
      "*/15 * * * * by the clock of Europe/Berlin, due 90m later, the last 7 kept",
    );
    expect(sentenceOf({ ...DEFAULT_FIELDS, time: "" })).toBe("");
  });

  test("what tells when it would ask is there once it is said when, and whom", () => {
    expect(previewOf(DEFAULT_FIELDS)).toEqual({
      cron: "30 2 * * *",
      time_zone: "site",
      clients: { all: true },
    });
    expect(previewOf(other)).toEqual({
      cron: "*/15 * * * *",
      time_zone: "Europe/Berlin",
      clients: { ids: ["till-1", "till-2*"] },
    });
    expect(previewOf({ ...DEFAULT_FIELDS, time: "" })).toBeNull();
    for (const cron of [" ", "30 2 *", "30 2 * * "]) {
      expect(previewOf({ ...other, cron })).toBeNull();
    }
    expect(previewOf({ ...other, cron: " @daily" })?.cron).toBe("@daily");
    expect(previewOf({ ...other, sites: " " })).toBeNull();
  });

  test.each([
    ["a usual one", { ...DEFAULT_FIELDS, skipsUnchanged: false }],
    [
      "one by labels",
      { ...DEFAULT_FIELDS, skipsUnchanged: false, sitesBy: "labels", sites: "region=west" },
    ],
    ["another one", other],
  ] as [string, ScheduleFields][])(
    "%s is the same after it was made, and unchanged",
    (_, fields) => {
      const record = recordOf(orderOf(fields)!);
      const again = {
        ...fieldsOf(record),
        time: fields.time,
        days: fields.days,
        cron: fields.cron,
      };
      expect(again).toEqual({ ...fields, dueAt: again.dueAt, dueAfter: again.dueAfter });
      expect(changeOf(fieldsOf(record), record)).toEqual({});
    },
  );

  test("what it does not show of a job stays, and only what is another is sent", () => {
    const order = orderOf(other)!;
    const job = {
      ...order.job,
      max_concurrent: 5,
      clients: { ids: ["till-1", "till-2*"], labels: "open" },
      download: { ...order.job.download, strict: true },
    };
    const record = recordOf({ ...order, job });
    const fields = fieldsOf(record);
    expect(changeOf({ ...fields, dueAfter: "3h" }, record)).toEqual({ due: { after: "3h" } });
    expect(changeOf({ ...fields, what: "a.txt" }, record)).toEqual({
      job: { ...job, download: { file_path: "a.txt", strict: true } },
    });
    expect(changeOf({ ...fields, sitesBy: "all" }, record)).toEqual({
      job: { ...job, clients: { all: true } },
    });
    expect(changeOf({ ...fields, keepLast: "" }, record)).toEqual({ keep: null });
    expect(changeOf({ ...fields, sitesBy: "labels", sites: " " }, record)).toBeNull();
  });
});
