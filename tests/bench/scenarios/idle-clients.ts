import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { valueOf } from "../../support/prometheus.ts";
import { ENROLL_TOKEN } from "../../support/system.ts";
import { waitFor } from "../../support/wait.ts";
import { alternate, type Effort, type Run, type Scenario, secondsOf } from "../core/scenario.ts";
import { Stage } from "../core/stage.ts";
import { usageOf } from "../core/usage.ts";
import { Peer } from "../peers/peer.ts";

/** Number of clients in one process. */
const PER_PROCESS = 2500;

/** Number of open files that a server needs in addition to one for each client. */
const OTHER_FILES = 500;

/** How long the idle server is measured, in ms. */
const IDLE_FOR = { tiny: 200, quick: 3000, full: 10_000 };

/** Time between two readings of the metrics, in ms. It is long enough not to slow down the server. */
const LOOK_EVERY = 100;

/**
 * Share of the clients for whose return a separate time is measured. The last clients to return tried to
 * connect while the server was away, so they wait longer.
 */
const MOST = 0.99;

/** Time limit until all clients are connected, in ms. It leaves refused clients the time to connect again. */
const DEADLINE = 180_000;

/** Measures a server with idle clients, each with a connection of its own, and a restart of this server. */
async function measure(run: Run, count: number): Promise<void> {
  const { effort, figures } = run;
  if (await lacksFiles(run, count)) return;
  await alternate(run, [
    async () => {
      // All clients connect from one address. Without these settings the server would limit them.
      const env = { MAX_CONNECTIONS_PER_ADDRESS: String(2 * count), ENROLL_TOKEN: "" };
      await using stage = await Stage.open(run.places.disk, run.signal, env);
      const { server } = stage.system;
      const before = await usageOf(server.pid);
      await using peers = new AsyncDisposableStack();
      const connecting = secondsOf(() => untilConnected(stage, count, run.signal));
      startIdle(stage, peers, count);
      figures.add("until all are there", "s", await connecting);

      const began = await usageOf(server.pid);
      await Bun.sleep(IDLE_FOR[effort]);
      const { cpuSeconds, memory, peakMemory } = await usageOf(server.pid);
      const share = (cpuSeconds - began.cpuSeconds) / (IDLE_FOR[effort] / 1000);
      figures.add("server memory each", "KiB", (memory - before.memory) / 1024 / count);
      figures.add("server memory", "MiB", memory / 1024 ** 2);
      figures.add("peak memory of the server", "MiB", peakMemory / 1024 ** 2);
      figures.add("server CPU while all are idle", "% of a core", share * 100);

      server.signal("SIGTERM");
      figures.add("until the server has ended", "s", await secondsOf(() => server.ended()));
      await stage.system.restartServer();
      const start = performance.now();
      const since = () => (performance.now() - start) / 1000;
      const slowest = await untilConnected(stage, Math.floor(count * MOST), run.signal);
      figures.add("until 99 % are back", "s", since());
      await untilConnected(stage, count, run.signal);
      figures.add("until all are back", "s", since());
      figures.add("slowest REST answer meanwhile", "s", slowest);
    },
  ]);
}

/** Starts idle clients `idle-0`, `idle-1`, … */
export function startIdle(
  { system: { folder, url } }: Stage,
  peers: AsyncDisposableStack,
  count: number,
): void {
  for (let first = 0; first < count; first += PER_PROCESS) {
    const here = Math.min(PER_PROCESS, count - first);
    const args = [`${url.replace("http", "ws")}/ws`, ENROLL_TOKEN, join(folder, "root")];
    peers.use(Peer.start("idle-clients.ts", [...args, String(first), String(here)]));
  }
}

/**
 * Reports whether this system allows too few open files for the connections. If so, records that the scenario
 * cannot run.
 */
export async function lacksFiles(run: Run, connections: number): Promise<boolean> {
  const allowed = await openFilesAllowed();
  const lacks = allowed < connections + OTHER_FILES;
  if (lacks) {
    run.notRun("all of it", `${allowed} open files are allowed, raise that with "ulimit -n"`);
  }
  return lacks;
}

/**
 * Waits until this many clients are connected.
 * @returns the longest time that the server took to answer meanwhile, in s
 */
async function untilConnected(stage: Stage, count: number, signal: AbortSignal): Promise<number> {
  let slowest = 0;
  const areThere = async () => {
    signal.throwIfAborted();
    await Bun.sleep(LOOK_EVERY);
    const start = performance.now();
    const metrics = await stage.metrics();
    slowest = Math.max(slowest, (performance.now() - start) / 1000);
    return valueOf(metrics, "fds_connected_clients") >= count;
  };
  await waitFor(areThere, `${count} clients to be connected`, DEADLINE);
  return slowest;
}

async function openFilesAllowed(): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  // The first number is the soft limit, which applies. The second number is the hard limit.
  return Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
}

function idle(
  count: Record<Effort, number>,
  rest: Pick<Scenario, "rounds" | "seconds" | "heavy">,
): Scenario {
  return {
    name: `${count.full}-idle`,
    about: `${count.full.toLocaleString("en")} clients that do nothing, and a restart of the server`,
    ...rest,
    measure: (run) => measure(run, count[run.effort]),
  };
}

export const idleScenarios: Scenario[] = [
  idle(
    { tiny: 5, quick: 1000, full: 1000 },
    { rounds: { tiny: 1, quick: 1, full: 2 }, seconds: { tiny: 3, quick: 12, full: 35 } },
  ),
  idle(
    { tiny: 8, quick: 10_000, full: 10_000 },
    {
      rounds: { tiny: 1, quick: 1, full: 1 },
      seconds: { tiny: 3, quick: 90, full: 100 },
      heavy: true,
    },
  ),
];
