import { SQL } from "bun";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { DeliveryList } from "../../lib/api/deliveries.ts";
import { JobList } from "../../lib/api/jobs.ts";
import { DownloadList } from "../../lib/api/schemas.ts";
import { Cron } from "../../lib/util/cron.ts";
import { localTimeAt } from "../../lib/util/time-zone.ts";
import { Fleet } from "../support/fleet.ts";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { Random } from "../support/random.ts";
import { ServerGroup } from "../support/server-group.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { deadlineOf, SEED, seedCount } from "./seeds.ts";

const KILLS = seedCount(2);
setDefaultTimeout(Math.max(TEST_LIMIT, deadlineOf(KILLS)));

/*
 * Row 46 of the fault table, with two servers on one Postgres that find the same night due at the same
 * moment. Each night must get exactly one job per time zone, even if one server is killed while it makes the
 * job.
 */

const DAY_MS = 86_400_000;
const ZONES = ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"];
const IN_A_ZONE = 5;
const SITES = ZONES.length * IN_A_ZONE;
/** A time of each day, in a minute that does not come in any of the zones while the test runs. */
const CRON = `${(new Date().getUTCMinutes() + 15) % 60} 2 * * *`;

/** A limit longer than all nights of the test. */
const LONG = "30d";

/** Longest time between a night becoming due and the kill of a server, in ms. */
const LONGEST_LIFE = 150;

/** Returns when the scheduled time came in a zone, in ms since 1970. @param nightsAgo 0: the latest night */
function momentOf(timeZone: string, nightsAgo: number): number {
  const cron = Cron.parse(CRON);
  if (typeof cron === "string") throw new Error(cron);
  const now = Date.now();
  const moments: number[] = [];
  let next = cron.next(timeZone, now - (nightsAgo + 3) * DAY_MS);
  for (; next && next.at <= now; next = cron.next(timeZone, next.at)) moments.push(next.at);
  return moments.at(-1 - nightsAgo)!;
}

/** Makes a past night due at both servers at the same moment. */
async function letCome(group: ServerGroup, sql: SQL, nightsAgo: number): Promise<void> {
  for (const zone of ZONES) {
    await sql`UPDATE schedule_times SET at = ${momentOf(zone, nightsAgo)} WHERE time_zone = ${zone}`;
  }
  // A change of the schedule makes the server that receives it look for due times.
  const change = { method: "PATCH", headers: { Authorization: `Bearer ${API_TOKEN}` } };
  const body = JSON.stringify({ catch_up: LONG });
  for (const { url } of group.members) {
    void fetch(`${url}/api/schedules/nightly`, { ...change, body }).catch(() => undefined);
  }
}

/** Expects one job per zone for each of the latest nights, and one download per site and night. */
async function expectOnce(fleet: Fleet, nights: number): Promise<void> {
  const read = async (path: string) => (await fleet.call("GET", `${path}limit=1000`)).body;
  const all = await waitFor(async () => {
    const { deliveries } = DeliveryList.parse(await read("schedules/nightly/deliveries?"));
    const isWhole = deliveries.length === nights * SITES;
    return isWhole && deliveries.every(({ status }) => status === "received") && deliveries;
  }, `the files of ${nights} nights`);
  const wanted = ZONES.flatMap((zone) =>
    Array.from({ length: nights }, (_, n) => localTimeAt(momentOf(zone, n), zone)),
  );
  const times = all.map(({ scheduled_local }) => scheduled_local);
  expect(new Set(times)).toEqual(new Set(wanted));
  const jobs = Map.groupBy(all, ({ job_id }) => job_id);
  expect(jobs.size).toBe(nights * ZONES.length);
  for (const ofJob of jobs.values()) {
    expect(ofJob).toHaveLength(IN_A_ZONE);
    expect(new Set(ofJob.map(({ scheduled_at }) => scheduled_at)).size).toBe(1);
  }
  const made = JobList.parse(await read("jobs?")).jobs;
  expect(made.map(({ job_id }) => job_id).toSorted()).toEqual([...jobs.keys()].toSorted() as never);
  expect(made.map(({ total }) => total)).toEqual(made.map(() => IN_A_ZONE));
  const { downloads } = DownloadList.parse(await read("downloads?"));
  expect(downloads).toHaveLength(nights * SITES);
}

describe.skipIf(NO_POSTGRES !== "")(
  `row 46: of two servers that find a night due, one is killed ${KILLS} times (FDS_SEED=${SEED})${NO_POSTGRES}`,
  () => {
    test("each night has one job for each zone, and each site is asked once", async () => {
      const random = new Random(SEED);
      await using postgres = await Postgres.start();
      const databaseUrl = await postgres.makeDatabase();
      const env = { LOG_LEVEL: "warn" };
      await using group = await ServerGroup.start({ count: 2, databaseUrl, env });
      await using fleet = new Fleet(group.balancer.url);
      for (const [n, zone] of ZONES.entries()) {
        const ids = Array.from({ length: IN_A_ZONE }, (_, site) => `site-${n}-${site}`);
        await fleet.join(ids, "deliver", { time_zone: zone });
      }
      const order = {
        name: "nightly",
        cron: CRON,
        catch_up: LONG,
        due: { after: LONG },
        overlap: "allow",
        job: { clients: { all: true }, download: { file_path: "sales-{date}.csv" } },
      };
      expect((await fleet.call("POST", "schedules", order)).status).toBe(201);
      const sql = new SQL(databaseUrl, { max: 1 });
      await sql`UPDATE schedules SET since = since - ${100 * DAY_MS}`;
      for (let night = 0; night <= KILLS; night++) {
        await letCome(group, sql, night);
        // In the first night no server is killed.
        const victim = night === 0 ? null : random.pick([0, 1]);
        if (victim === null) {
          await expectOnce(fleet, night + 1);
          continue;
        }
        await Bun.sleep(random.int(0, LONGEST_LIFE));
        group.at(victim).program.signal("SIGKILL");
        await expectOnce(fleet, night + 1);
        await group.restart(victim);
      }
      await expectOnce(fleet, KILLS + 1);
      await sql.close({ timeout: 0 });
    });
  },
);
