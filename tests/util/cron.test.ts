import { describe, expect, test } from "bun:test";
import { Cron as Croner } from "croner";
import { Cron } from "../../lib/util/cron.ts";
import { EFFORT } from "../faults/effort.ts";

const ZONES = [
  "UTC",
  "America/New_York",
  "America/Santiago",
  "Australia/Lord_Howe",
  "Asia/Kolkata",
  "Africa/Casablanca",
  "Europe/Berlin",
  "Pacific/Auckland",
  "Pacific/Apia",
];

/** Fifty schedules. Each change of the clocks affects some of their times. */
const SCHEDULES = [
  ...["30 2 * * *", "0 0 * * *", "15 1 * * *", "45 1 * * *", "0 3 * * *", "59 23 * * *"],
  ...["@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "5 4 * * sun"],
  ...["0 4 * * mon-fri", "0 22 * * 1-5", "30 2 * * 0", "30 2 * * 7", "0 6 1-7 * 1"],
  ...["0 0 29 2 *", "30 0 1 * *", "0 2 31 * *", "10 2 1,15 * *", "0 12 13 * 5"],
  ...["20 2 * 3,4,9,10,11 sun", "5 0 * 8 *", "0 1 * jan,JUL *", "0 0 1 */3 *", "0 0 * FEB mon"],
  ...["40 2 * * *", "1 2 * * *", "59 2 * * *", "0 2 * * *", "29 2 * * *", "31 1 * * *"],
  ...["0 5 * * *", "15 3 * * 6", "45 0 * * *", "30 0 * * *", "0 13 * * *", "7 7 7 7 *"],
  ...["0 23 31 12 *", "0 0 1 1 *", "30 1 * * sun", "30 2 8-14 3 *", "30 1 1-7 11 *"],
  ...["12 2 * 3 *", "48 1 * 11 *", "3 2 * 9,10 *", "17 1 * 4 *", "0 9 * * tue,thu"],
];

/** The number of simulated years. FAULT_EFFORT=10 runs all ten. */
const YEARS = EFFORT >= 10 ? 10 : 1;
const FROM = Date.parse("2024-01-01T00:00:00Z");
const UP_TO = Date.parse(`${2024 + YEARS}-01-01T00:00:00Z`);
const DAY = 86_400_000;

const cron = (text: string) => Cron.parse(text) as Cron;
const local = (at: number) => new Date(at).toISOString().slice(0, 19);

/** Returns a function from UTC to local time, computed by `Intl` instead of the code under test. */
function clockOf(timeZone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat("en-u-hc-h23", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  return (at) => {
    const [month, day, year, hour, minute] = format.format(at).split(/\D+/).map(Number);
    return Date.UTC(year!, month! - 1, day, hour, minute);
  };
}

/** Computes when each local time comes, directly from the rule instead of the code under test. */
function momentsOf(walls: readonly number[], timeZone: string): number[] {
  const clock = clockOf(timeZone);
  return walls.map((wall) => {
    const [before, after] = [clock(wall - DAY) - (wall - DAY), clock(wall + DAY) - (wall + DAY)];
    const candidates = [wall - before, wall - after].filter((at) => clock(at) === wall);
    // A local time that occurs twice counts at its first occurrence. A skipped one comes later, by as much as
    // the clock skips.
    return candidates.length > 0 ? Math.min(...candidates) : wall - Math.min(before, after);
  });
}

/** Returns all times of a schedule from FROM to UP_TO. */
function timesOf(text: string, timeZone: string): { at: number; localTime: string }[] {
  const times: { at: number; localTime: string }[] = [];
  const schedule = cron(text);
  for (
    let next = schedule.next(timeZone, FROM - 1);
    next;
    next = schedule.next(timeZone, next.at)
  ) {
    if (next.at >= UP_TO) break;
    for (const localTime of next.localTimes) times.push({ at: next.at, localTime });
  }
  return times;
}

/** Returns the local times of a schedule, as if in UTC, computed by another library. */
function oracle(text: string): number[] {
  const other = new Croner(text, { timezone: "UTC", paused: true });
  const walls: number[] = [];
  // Includes one more day at each end, because the date differs between zones.
  for (let next = other.nextRun(new Date(FROM - DAY - 1)); next; next = other.nextRun(next)) {
    if (next.getTime() >= UP_TO + DAY) break;
    walls.push(next.getTime());
  }
  return walls;
}

describe(`${SCHEDULES.length} schedules in ${ZONES.length} zones, ${YEARS} years`, () => {
  test("each time of the wall comes once, when the rule and another calendar say", () => {
    expect(SCHEDULES).toHaveLength(50);
    let count = 0;
    for (const text of SCHEDULES) {
      const walls = oracle(text);
      for (const zone of ZONES) {
        const moments = momentsOf(walls, zone);
        const expected = walls
          .map((wall, n) => ({ at: moments[n]!, localTime: local(wall) }))
          .filter(({ at }) => at >= FROM && at < UP_TO);
        const found = timesOf(text, zone);
        if (!Bun.deepEquals(found, expected))
          expect({ text, zone, found }).toEqual({ text, zone, found: expected });
        count += found.length;
      }
    }
    expect(count).toBeGreaterThan(50_000 * YEARS);
  });

  test("on days whose clocks do not change, that implementation says the same of the zone", () => {
    for (const [n, text] of SCHEDULES.entries()) {
      const zone = ZONES[n % ZONES.length]!;
      const clock = clockOf(zone);
      const isPlain = (at: number) =>
        [-DAY, DAY].every((away) => clock(at + away) - (at + away) === clock(at) - at);
      const other = new Croner(text, { timezone: zone, paused: true });
      const theirs: number[] = [];
      for (let next = other.nextRun(new Date(FROM - 1)); next; next = other.nextRun(next)) {
        if (next.getTime() >= UP_TO) break;
        theirs.push(next.getTime());
      }
      const ours = timesOf(text, zone).map(({ at }) => at);
      expect(ours.filter(isPlain)).toEqual(theirs.filter(isPlain));
    }
  });
});

test.each<[string, string, string, ReturnType<Cron["next"]>]>([
  // Clocks go forward at 2:00, so 2:30 comes at 3:30.
  [
    "30 2 * * *",
    "America/New_York",
    "2026-03-08T06:00:00Z",
    {
      at: Date.parse("2026-03-08T07:30:00Z"),
      localTimes: ["2026-03-08T02:30:00"],
    },
  ],
  // The skipped 2:30 and the regular 3:30 come together.
  [
    "30 2,3 * * *",
    "America/New_York",
    "2026-03-08T06:00:00Z",
    {
      at: Date.parse("2026-03-08T07:30:00Z"),
      localTimes: ["2026-03-08T02:30:00", "2026-03-08T03:30:00"],
    },
  ],
  // An hourly schedule does not make up for the skipped hour.
  [
    "30 * * * *",
    "America/New_York",
    "2026-03-08T06:45:00Z",
    {
      at: Date.parse("2026-03-08T07:30:00Z"),
      localTimes: ["2026-03-08T03:30:00"],
    },
  ],
  // Clocks go back from 2:00 to 1:00. The repeated hour counts once.
  [
    "30 1 * * *",
    "America/New_York",
    "2026-11-01T05:30:00Z",
    {
      at: Date.parse("2026-11-02T06:30:00Z"),
      localTimes: ["2026-11-02T01:30:00"],
    },
  ],
  [
    "0 * * * *",
    "America/New_York",
    "2026-11-01T05:00:00Z",
    {
      at: Date.parse("2026-11-01T07:00:00Z"),
      localTimes: ["2026-11-01T02:00:00"],
    },
  ],
  // Clocks skip midnight, so the day begins at 1:00.
  [
    "@daily",
    "America/Santiago",
    "2026-09-05T12:00:00Z",
    {
      at: Date.parse("2026-09-06T04:00:00Z"),
      localTimes: ["2026-09-06T00:00:00"],
    },
  ],
  // Clocks go forward by half an hour.
  [
    "10 2 * * *",
    "Australia/Lord_Howe",
    "2026-10-03T12:00:00Z",
    {
      at: Date.parse("2026-10-03T15:40:00Z"),
      localTimes: ["2026-10-04T02:10:00"],
    },
  ],
  [
    "0 0 29 2 *",
    "Asia/Kolkata",
    "2097-01-01T00:00:00Z",
    {
      at: Date.parse("2104-02-28T18:30:00Z"),
      localTimes: ["2104-02-29T00:00:00"],
    },
  ],
])("%s in %s behind %s", (text, zone, after, expected) => {
  expect(cron(text).next(zone, Date.parse(after))).toEqual(expected);
});

test("a day of each minute in a gap goes on in order, each once", () => {
  const walls: string[] = [];
  const each = cron("*/10 2,3 * * *");
  const after = Date.parse("2026-03-08T06:00:00Z");
  for (let next = each.next("America/New_York", after); next;) {
    if (next.at > after + 4 * 3_600_000) break;
    walls.push(...next.localTimes.map((time) => time.slice(11, 16)));
    next = each.next("America/New_York", next.at);
  }
  const minutes = ["00", "10", "20", "30", "40", "50"];
  expect(walls).toEqual(minutes.flatMap((minute) => [`02:${minute}`, `03:${minute}`]));
});

test("a time is one of its times, or none", () => {
  const nightly = cron("30 2 * * *");
  expect(nightly.momentOf("2026-03-08T02:30:00", "America/New_York")).toBe(
    Date.parse("2026-03-08T07:30:00Z"),
  );
  expect(nightly.momentOf("2026-03-08T02:31:00", "America/New_York")).toBeNull();
  expect(cron("30 * * * *").momentOf("2026-03-08T02:30:00", "America/New_York")).toBeNull();
});

test.each([
  ["", "expected five fields"],
  ["* * * *", "expected five fields"],
  ["0 0 0 * * *", "expected five fields"],
  ["60 * * * *", "expected five fields"],
  ["* 24 * * *", "expected five fields"],
  ["* * 0 * *", "expected five fields"],
  ["* * * 13 *", "expected five fields"],
  ["* * * * 8", "expected five fields"],
  ["*/0 * * * *", "expected five fields"],
  ["5-1 * * * *", "expected five fields"],
  ["0 0 L * *", "expected five fields"],
  ["@reboot", "expected five fields"],
  ["@every 5m", "expected five fields"],
  ["0 0 30 2 *", "is a time that never comes"],
  ["0 0 31 4,6,9,11 *", "is a time that never comes"],
  [`${"0,".repeat(200)}0 0 * * *`, "is longer than 200 characters"],
])("%p is no schedule, and it is said why", (text, why) => {
  expect(Cron.parse(text)).toStartWith(why);
});
