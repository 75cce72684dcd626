import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { JobRecord } from "../../lib/api/jobs.ts";
import { contentOf, countsOf, Fleet, idsOf } from "../support/fleet.ts";
import { Random } from "../support/random.ts";
import { md5 } from "../support/scripted-client.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { SEED, seedCount } from "./seeds.ts";

setDefaultTimeout(TEST_LIMIT);

/* Row 45 of the fault table: a server that is killed while it makes, pauses, reruns and ends jobs. */

const KILLS = seedCount(3);
/** The number of sites. The variable FAULT_SITES sets another one. */
const SITES = Number(process.env["FAULT_SITES"] ?? 80);

/** Longest time between two kills, in ms: about as long as the server takes for a part of the job. */
const LONGEST_LIFE = 400;

const sumOf = ({ counts }: JobRecord) => Object.values(counts).reduce((sum, count) => sum + count);

/** Returns a job's record. Null while the server does not answer. */
async function look(fleet: Fleet, jobId: string): Promise<JobRecord | null> {
  try {
    return await fleet.job(jobId);
  } catch {
    return null;
  }
}

/** Repeats a call until the server answers it. */
const insist = (fleet: Fleet, method: string, path: string, body?: object) =>
  waitFor(() => fleet.call(method, path, body).catch(() => null), `an answer to ${path}`);

/** Kills and restarts the server at random moments. In between, the job's counts must always add up. */
async function killAgainAndAgain(system: System, fleet: Fleet, jobId: string, random: Random) {
  for (let n = 0; n < KILLS; n++) {
    const life = random.int(0, LONGEST_LIFE);
    for (const end = performance.now() + life; performance.now() < end;) {
      const job = await look(fleet, jobId);
      if (job) expect([job.total, sumOf(job)]).toEqual([SITES, SITES]);
    }
    system.server.signal("SIGKILL");
    await system.restartServer();
  }
}

async function expectAllFiles(system: System, fleet: Fleet, jobId: string): Promise<void> {
  const completed = (await fleet.downloadsOf(jobId)).filter((one) => one.status === "completed");
  expect(completed.map(({ client_id }) => client_id).toSorted()).toEqual(idsOf(SITES).toSorted());
  for (const { client_id, saved_path } of completed) {
    const bytes = await Bun.file(join(system.folder, "downloads", String(saved_path))).bytes();
    expect(md5(bytes)).toBe(md5(contentOf(client_id)));
  }
}

describe(`row 45: the server is killed ${KILLS} times in a job of ${SITES} downloads (FDS_SEED=${SEED})`, () => {
  test("it ends by itself, with the right counts and every file", async () => {
    const random = new Random(SEED);
    await using system = await System.start({ LOG_LEVEL: "warn" });
    await using fleet = new Fleet(system.url);
    await fleet.join(idsOf(SITES));
    const jobId = await fleet.makeJob({ max_concurrent: 3 });
    await killAgainAndAgain(system, fleet, jobId, random);
    const job = await fleet.ended(jobId);
    expect([job.status, countsOf(job)]).toEqual(["completed", { completed: SITES }]);
    await expectAllFiles(system, fleet, jobId);
  });

  test("asked again for all that failed, nothing is asked twice, and nothing is lost", async () => {
    const random = new Random(SEED + 1);
    await using system = await System.start({ LOG_LEVEL: "warn" });
    await using fleet = new Fleet(system.url);
    await fleet.join(idsOf(SITES), "refuse");
    const jobId = await fleet.makeJob({});
    await fleet.ended(jobId);
    fleet.go("deliver");
    const rerun = fleet.call("POST", `jobs/${jobId}/rerun`).catch(() => null);
    await killAgainAndAgain(system, fleet, jobId, random);
    await rerun;
    // The interrupted rerun may have missed some downloads, so the rerun is requested again.
    await fleet.jobThatIs(jobId, ({ ended_at }) => ended_at !== null, "it to end");
    await insist(fleet, "POST", `jobs/${jobId}/rerun`);
    const job = await fleet.jobThatIs(jobId, ({ status }) => status === "completed", "all of it");
    expect(countsOf(job)).toEqual({ completed: SITES });
    await expectAllFiles(system, fleet, jobId);
    const all = await fleet.downloadsOf(jobId);
    expect(all).toHaveLength(2 * SITES);
  });

  test("cancelled, all of it is, and stays so", async () => {
    const random = new Random(SEED + 2);
    await using system = await System.start({ LOG_LEVEL: "warn" });
    await using fleet = new Fleet(system.url);
    await fleet.join(idsOf(SITES), "hold");
    const jobId = await fleet.makeJob({});
    const cancel = fleet.call("POST", `jobs/${jobId}/cancel`).catch(() => null);
    await killAgainAndAgain(system, fleet, jobId, random);
    await cancel;
    const { status } = await insist(fleet, "POST", `jobs/${jobId}/cancel`);
    expect(status).toBeOneOf([200, 409]);
    const job = await fleet.jobThatIs(jobId, ({ counts }) => counts.cancelled === SITES, "all");
    expect(job.status).toBe("cancelled");
    const all = await fleet.downloadsOf(jobId);
    expect(all.map(({ client_id }) => client_id).toSorted()).toEqual(idsOf(SITES).toSorted());
  });

  test("a client that joins while it is killed has joined, or joins when it comes back", async () => {
    const random = new Random(SEED + 3);
    await using system = await System.start({ LOG_LEVEL: "warn" });
    await using fleet = new Fleet(system.url);
    const order = { membership: "continuous" as const, expires_in: "1h" };
    const jobId = await fleet.makeJob({ clients: { all: true }, ...order });
    const joining = fleet.join(idsOf(SITES));
    for (let n = 0; n < KILLS; n++) {
      await Bun.sleep(random.int(0, LONGEST_LIFE));
      system.server.signal("SIGKILL");
      await system.restartServer();
    }
    await joining;
    const job = await fleet.jobThatIs(jobId, ({ counts }) => counts.completed === SITES, "all");
    expect([job.total, job.status]).toEqual([SITES, "running"]);
    await expectAllFiles(system, fleet, jobId);
  });
});
