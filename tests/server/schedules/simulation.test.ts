import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import type { Download } from "../../../lib/server/download.ts";
import type { Delivery, DeliveryStatus, Schedule } from "../../../lib/server/schedule.ts";
import { atOnce } from "../../../lib/util/fair-turns.ts";
import { localTimeAt, momentOf } from "../../../lib/util/time-zone.ts";
import { EFFORT } from "../../faults/effort.ts";
import { Random } from "../../support/random.ts";
import { addClients, completedAt, Night, Rows, scheduleOf } from "./stage.ts";

setDefaultTimeout(600_000);

/* Simulates nights of many sites on a fake clock, and checks who delivered, was late, or did not deliver. */

/**
 * A folder in memory for the database, if the system has one. On a disk, the database takes half of the time.
 */
const MEMORY = "/dev/shm";

/** The days and clients of the simulation. FAULT_EFFORT=10 runs the full size. */
const [DAYS, CLIENTS] = EFFORT >= 10 ? [60, 300] : [6, 24];
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/**
 * Unit of the times at which files arrive. Many files arrive at the same time, so the simulation needs fewer
 * steps.
 */
const HALF_HOUR = HOUR / 2;
/** The clocks of New York and Berlin go forward within the simulated days of the full size. */
const FROM = Date.parse("2026-03-05T12:00:00Z");
const UP_TO = FROM + DAYS * DAY;
const ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"];
const HOURS = ["30 2 * * *", "0 3 * * *", "15 1 * * *", "45 23 * * *", "30 2 * * *"];

/** Times at which the server is off: one short enough that missed jobs are made up for, and one longer. */
const OFF = [
  { from: FROM + 2 * DAY, to: FROM + 2 * DAY + 5 * HOUR },
  { from: FROM + 4 * DAY, to: FROM + 4 * DAY + 20 * HOUR },
];

/** How a client treats its request: it delivers this many ms later; null: never. */
type Fate = { after: number | null };

function fateOf(random: Random): Fate {
  const luck = random.float();
  if (luck < 0.85) return { after: random.int(1, 3) * HALF_HOUR };
  if (luck < 0.93) return { after: random.int(5, 23) * HALF_HOUR };
  return { after: null };
}

interface Event {
  at: number;
  download: Download;
}

/** Returns the times of a daily local hour in a zone, computed without the code under test. */
function timesOf(hour: string, timeZone: string): { at: number; localTime: string }[] {
  const [minute, clock] = hour.split(" ");
  const times: { at: number; localTime: string }[] = [];
  for (let day = FROM - 2 * DAY; day < UP_TO + 2 * DAY; day += DAY) {
    const date = new Date(day).toISOString().slice(0, 10);
    const localTime = `${date}T${clock!.padStart(2, "0")}:${minute!.padStart(2, "0")}:00`;
    const at = momentOf(localTime, timeZone);
    if (at > FROM && at <= UP_TO) times.push({ at, localTime });
  }
  return times;
}

test(`${DAYS} days of 5 schedules and ${CLIENTS} clients`, async () => {
  const random = new Random(17);
  await using store = await Rows.open(existsSync(MEMORY) ? MEMORY : undefined);
  const { repository: rows } = store;
  const clientIds = await addClients(rows, CLIENTS, ZONES);
  const events: Event[] = [];
  const fates = new Map<string, { askedAt: number; after: number | null }>();
  const night = new Night(rows, (downloads, at) => {
    for (const download of downloads) {
      const { after } = fateOf(random);
      fates.set(download.downloadId, { askedAt: at, after });
      if (after !== null) events.push({ at: at + after, download });
    }
    events.sort((a, b) => a.at - b.at);
  });
  const schedules: Schedule[] = HOURS.map((cron, n) =>
    scheduleOf({ name: `s${n}`, cron, since: FROM, timeZone: n === 4 ? "Europe/Berlin" : null }),
  );
  for (const schedule of schedules) await rows.schedules.insert(schedule);
  await night.begin(FROM);
  // Advances the clock to the next time at which the server wakes, or a download ends.
  let now = FROM;
  while (now < UP_TO) {
    const wake = Math.min(
      (await rows.schedules.nextAt()) ?? Infinity,
      (await rows.deliveries.nextDue()) ?? Infinity,
      events[0]?.at ?? Infinity,
      UP_TO,
    );
    const off = OFF.find(({ from, to }) => wake >= from && wake < to);
    now = Math.max(now, off ? off.to : wake);
    night.now = now;
    const ended = events.splice(0, events.findIndex(({ at }) => at > now) >>> 0);
    const end = async ({ download }: Event) => {
      const done = await rows.replaceDownload(completedAt(download, now), download);
      night.deliveries.downloadChanged(done!.jobId!, done!.clientId);
    };
    await Promise.all(ended.map(end));
    await night.at(now);
    await night.deliveries.idle();
  }
  const counts = new Map<string, number>();
  for (const [n, schedule] of schedules.entries()) {
    const found = await allOf(schedule);
    const byKey = new Map(found.map((one) => [`${one.clientId} ${one.localTime}`, one]));
    expect(byKey.size).toBe(found.length);
    let expected = 0;
    for (const [index, clientId] of clientIds.entries()) {
      const own = ZONES[index % ZONES.length]!;
      for (const time of timesOf(HOURS[n]!, n === 4 ? "Europe/Berlin" : own)) {
        const off = OFF.find(({ from, to }) => time.at >= from && time.at < to);
        const isMissed = off !== undefined && off.to - time.at > 6 * HOUR;
        const delivery = byKey.get(`${clientId} ${time.localTime}`);
        if (isMissed) expect(delivery).toBeUndefined();
        else {
          expected++;
          expect(delivery?.scheduledAt).toBe(time.at);
          const status = delivery!.status;
          expect(status).toBe(statusBy(delivery!, fates.get(delivery!.downloadId ?? ""), now));
          counts.set(status, (counts.get(status) ?? 0) + 1);
        }
      }
    }
    expect(found).toHaveLength(expected);
  }
  const of = (status: DeliveryStatus) => counts.get(status) ?? 0;
  expect(of("received")).toBeGreaterThan(of("late"));
  expect(Math.min(of("late"), of("missing"))).toBeGreaterThan(0);
  expect(night.made.every(({ occurrence }) => occurrence !== null)).toBe(true);

  async function allOf(schedule: Schedule): Promise<Delivery[]> {
    const all: Delivery[] = [];
    for (let after: Delivery | undefined; ;) {
      const filter = { sites: null, after, limit: 1_000 };
      const page = await rows.deliveries.list(schedule.scheduleId, filter, atOnce);
      all.push(...page);
      after = page.at(-1);
      if (page.length < 1_000) return all;
    }
  }
});

/** Computes the expected status of a delivery without the code under test. */
function statusBy(
  { dueAt, scheduledAt, timeZone, localTime, downloadId }: Delivery,
  fate: { askedAt: number; after: number | null } | undefined,
  now: number,
): DeliveryStatus {
  expect(localTimeAt(scheduledAt, timeZone).slice(0, 10)).toBe(localTime.slice(0, 10));
  if (!fate && downloadId === null) return now >= dueAt ? "missing" : "expected";
  const { askedAt, after } = fate!;
  // A server that is off notices the end of a download only when it is on again.
  const off = OFF.find(
    ({ from, to }) => askedAt + (after ?? 0) >= from && askedAt + (after ?? 0) < to,
  );
  const endsAt = after === null ? null : (off?.to ?? askedAt + after);
  if (endsAt !== null && endsAt <= now) return endsAt <= dueAt ? "received" : "late";
  return now >= dueAt ? "missing" : "expected";
}
