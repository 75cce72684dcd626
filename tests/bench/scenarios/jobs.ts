import type { JobRecord } from "../../../lib/api/jobs.ts";
import { Failure } from "../../../lib/cli/program.ts";
import { storing } from "../../support/stored.ts";
import { waitFor } from "../../support/wait.ts";
import { longestHold, LOOP_PROBE } from "../core/loop-probe.ts";
import { probeRest } from "../core/rest-probe.ts";
import { alternate, type Effort, type Run, type Scenario, secondsOf } from "../core/scenario.ts";
import { worstLag } from "../core/server-metrics.ts";
import { Stage } from "../core/stage.ts";
import { quantile } from "../core/statistics.ts";
import { usageOf } from "../core/usage.ts";
import { Peer } from "../peers/peer.ts";

interface Size {
  /** Number of clients in the database. Each job asks all of them. */
  clients: number;
  /** Number of clients that are connected. */
  connected: number;
  /** Number of earlier jobs that still wait for the clients that are not connected. */
  waiting: number;
}

const SIZES: Record<Effort, Size> = {
  tiny: { clients: 40, connected: 5, waiting: 1 },
  quick: { clients: 2_000, connected: 50, waiting: 2 },
  full: { clients: 10_000, connected: 200, waiting: 10 },
};

/** Time from the request until a simulated site sends its file, in ms. */
const FILE_MS = 500;

/** Time between two requests for the state of a job, in ms. */
const LOOK_EVERY = 100;

/** Time limit for each wait, in ms. */
const DEADLINE = 180_000;

const MiB = 1024 ** 2;

/**
 * Measures a job over all clients, of which some are connected, while earlier jobs wait for the other
 * clients.
 */
async function measure(run: Run): Promise<void> {
  const { effort, figures, signal } = run;
  const { clients, connected, waiting } = SIZES[effort];
  await alternate(run, [
    async () => {
      const connections = String(2 * clients);
      const env = { MAX_CONNECTIONS_PER_ADDRESS: connections, ENROLL_TOKEN: "", ...LOOP_PROBE };
      const prepare = storing({ clients });
      await using stage = await Stage.open(run.places.disk, signal, env, { prepare });
      await using peers = new AsyncDisposableStack();
      const { api, url, server } = stage.system;
      const sites = [url, String(connected), String(FILE_MS)];
      peers.use(Peer.start("job-sites.ts", sites));
      await waitFor(
        async () => (await api.health()).connected_clients === connected,
        `${connected} sites to be connected`,
        DEADLINE,
      );
      for (let n = 0; n < waiting; n++) await runJob(stage, connected);

      const before = await stage.metrics();
      const begun = Date.now();
      let job = "";
      const order = { clients: { all: true as const }, download: { file_path: "a" } };
      const answered = await secondsOf(async () => ({ job_id: job } = await api.createJob(order)));
      figures.add("job over all, until it is answered", "s", answered);
      const done = untilCompleted(stage, job, connected);
      const single = untilStarted(stage, `idle-${connected - 1}`);
      const took = await probeRest(api, await single.asked, Promise.all([done, single.started]));
      figures.add("single pull asked meanwhile, until it starts", "s", await single.started);
      figures.add("job, until all that are connected sent", "s", await done);
      figures.add("REST p50 meanwhile", "ms", quantile(took, 0.5));
      figures.add("REST p99 meanwhile", "ms", quantile(took, 0.99));
      figures.add("slowest REST answer meanwhile", "ms", Math.max(...took));
      const sent = Date.now();
      const cancel = () => secondsOf(() => cancelAll(stage, job));
      figures.add("cancel, until all that waits is", "s", await cancel());
      const rerun = await secondsOf(() => rerunAll(stage, job));
      figures.add("rerun and pause, until all wait again", "s", await rerun);
      await api.resumeJob(job);
      await cancel();
      figures.add("event-loop lag, at most", "ms", worstLag(before, await stage.metrics()));
      const { folder } = stage.system;
      const held = longestHold(folder, begun, sent);
      figures.add("longest hold of the event loop meanwhile, processor time", "ms", held);
      const heldLater = longestHold(folder, sent);
      figures.add("longest hold by cancel and rerun, processor time", "ms", heldLater);
      const { peakMemory } = await usageOf(server.pid);
      figures.add("peak memory of the server", "MiB", peakMemory / MiB);
    },
  ]);
}

/** Creates a job over all clients, and waits until the connected clients have sent their files. */
async function runJob(stage: Stage, connected: number): Promise<void> {
  const order = { clients: { all: true as const }, download: { file_path: "a" } };
  const { job_id } = await stage.api.createJob(order);
  await untilCompleted(stage, job_id, connected);
}

/**
 * Waits until this many downloads of a job are completed.
 * @returns the duration, in s
 * @throws Failure if the counts of the job do not add up
 */
function untilCompleted({ api }: Stage, jobId: string, count: number): Promise<number> {
  const isDone = async () => {
    const job = await api.job(jobId);
    if (sumOf(job) !== job.total) throw new Failure(`the counts of a job do not add up`);
    await Bun.sleep(LOOK_EVERY);
    return job.counts.completed >= count;
  };
  return secondsOf(() => waitFor(isDone, `${count} files of a job`, DEADLINE));
}

/** Cancels a job, and waits until none of its downloads is queued or running. */
async function cancelAll({ api }: Stage, jobId: string): Promise<void> {
  await api.cancelJob(jobId);
  await waitFor(async () => isCancelled(await api.job(jobId)), "all to be cancelled", DEADLINE);
}

/** Repeats all cancelled downloads of a job, pauses the job, and waits until all are queued again. */
async function rerunAll({ api }: Stage, jobId: string): Promise<void> {
  await api.rerunJob(jobId);
  await api.pauseJob(jobId);
  const isAskedAgain = async () => (await api.job(jobId)).counts.cancelled === 0;
  await waitFor(isAskedAgain, "all to be asked again", DEADLINE);
}

const isCancelled = ({ counts }: JobRecord) => counts.queued + counts.downloading === 0;

const sumOf = ({ counts }: JobRecord) => Object.values(counts).reduce((sum, count) => sum + count);

/**
 * Requests a file from one client without a job.
 * @returns `asked` resolves to the download's id, `started` to the time until the download started, in s
 */
function untilStarted({ api }: Stage, clientId: string) {
  const begun = performance.now();
  const asked = api
    .startDownload({ client_id: clientId, file_path: "b" })
    .then(({ download_id }) => download_id);
  const started = asked.then(async (id) => {
    const isStarted = async () => (await api.download(id)).started_at !== null;
    await waitFor(isStarted, "the single pull to start", DEADLINE);
    return (performance.now() - begun) / 1000;
  });
  return { asked, started };
}

export const jobs: Scenario = {
  name: "jobs",
  about:
    "a job over 10,000 clients, 200 of them connected, beside 100,000 downloads that wait, and a single pull",
  rounds: { tiny: 1, quick: 1, full: 1 },
  seconds: { tiny: 10, quick: 30, full: 240 },
  heavy: true,
  measure,
};
