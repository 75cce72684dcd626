import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DeliveryList, type DeliveryRecord } from "../../lib/api/deliveries.ts";
import { JobList } from "../../lib/api/jobs.ts";
import { localTimeAt } from "../../lib/util/time-zone.ts";
import { Fleet, idsOf } from "../support/fleet.ts";
import { lacksFaketime } from "../support/machine.ts";
import { Random } from "../support/random.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { WallClock } from "../support/wall-clock.ts";
import { deadlineOf, SEED, seedCount } from "./seeds.ts";

const KILLS = seedCount(2);

setDefaultTimeout(Math.max(TEST_LIMIT, deadlineOf(KILLS)));

/*
 * Row 46 of the fault table: a server is killed around the hour of a schedule. Each time must be carried out
 * exactly once.
 */

const SITES = 20;
/**
 * Interval of the schedule, in ms. It exceeds the duration of a round by far, because what is wanted at one
 * time expires at the next time.
 */
const HOUR = 3_600_000;

/** The server starts this long before the hour, in ms: about as long as a start takes. */
const BEFORE = 500;

/** Longest time that the server then runs, in ms. */
const LONGEST_LIFE = 900;

describe.skipIf(lacksFaketime !== "")(
  `row 46: the server is killed around ${KILLS} times of a schedule (FDS_SEED=${SEED})${lacksFaketime}`,
  () => {
    test("each is made once, with every client", async () => {
      const random = new Random(SEED);
      const folder = await mkdtemp(join(tmpdir(), "fds-schedules-"));
      const clock = new WallClock(folder, "server");
      // Each round uses another full hour in the future.
      const first = (Math.floor(Date.now() / HOUR) + 2) * HOUR;
      await using system = await System.start({ LOG_LEVEL: "warn", ...clock.env });
      await using fleet = new Fleet(system.url);
      await fleet.join(idsOf(SITES));
      const made = await fleet.call("POST", "schedules", {
        name: "each-hour",
        cron: "0 * * * *",
        overlap: "allow",
        job: { clients: { all: true }, download: { file_path: "a.txt" } },
      });
      expect(made.status).toBe(201);
      for (let n = 0; n < KILLS; n++) {
        // The schedule is paused while the clock jumps, because it would otherwise catch up on the hours in
        // between.
        await fleet.call("PATCH", "schedules/each-hour", { paused: true });
        const hour = first + 2 * n * HOUR;
        system.server.signal("SIGKILL");
        clock.setTo(hour - 30_000);
        await system.restartServer();
        await fleet.call("PATCH", "schedules/each-hour", { paused: false });
        system.server.signal("SIGKILL");
        clock.setTo(hour - BEFORE);
        await system.server.launch(["--port", String(system.port)]);
        await Bun.sleep(random.int(0, LONGEST_LIFE));
        system.server.signal("SIGKILL");
        clock.setTo(hour + 1_000);
        await system.restartServer();
        await expectOnce(fleet, localTimeAt(hour, "UTC"), n + 1);
      }
      await rm(folder, { recursive: true });
    });
  },
);

async function expectOnce(fleet: Fleet, localTime: string, count: number): Promise<void> {
  const all = await waitFor(async () => {
    const { body } = await fleet.call("GET", "schedules/each-hour/deliveries?limit=1000");
    const found = DeliveryList.parse(body).deliveries.filter(
      ({ scheduled_local }) => scheduled_local === localTime,
    );
    return found.length === SITES && found.every(isReceived) ? found : null;
  }, `the files of ${localTime}`);
  expect(new Set(all.map(({ job_id }) => job_id)).size).toBe(1);
  const jobs = JobList.parse((await fleet.call("GET", "jobs?limit=1000")).body).jobs;
  expect(jobs).toHaveLength(count);
  const job = jobs.find(({ job_id }) => job_id === all[0]!.job_id);
  expect([job?.total, job?.schedule]).toEqual([SITES, "each-hour"]);
}

const isReceived = ({ status }: DeliveryRecord) => status === "received";
