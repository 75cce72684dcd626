import { storing } from "../../support/stored.ts";
import { waitFor } from "../../support/wait.ts";
import { alternate, type Effort, type Run, type Scenario } from "../core/scenario.ts";
import { Stage } from "../core/stage.ts";
import { quantile } from "../core/statistics.ts";
import { usageOf } from "../core/usage.ts";
import { Peer } from "../peers/peer.ts";
import { lacksFiles, startIdle } from "./idle-clients.ts";

interface Size {
  downloads: number;
  /** Number of clients in the database. All of them connect. */
  clients: number;
  /** Number of connections that never register as a client. */
  waiting: number;
  /**
   * Time for which /health is called repeatedly, in ms: first alone, then while a viewer makes many calls.
   */
  askFor: number;
}

const SIZES: Record<Effort, Size> = {
  tiny: { downloads: 300, clients: 5, waiting: 3, askFor: 300 },
  quick: { downloads: 100_000, clients: 1_000, waiting: 200, askFor: 5_000 },
  full: { downloads: 1_000_000, clients: 10_000, waiting: 200, askFor: 20_000 },
};

/** Number of the viewer's simultaneous calls. */
const AT_ONCE = 32;
/** Number of the viewer's simultaneous event streams. */
const STREAMS = 8;

/** Time limit until all clients are connected, in ms. */
const DEADLINE = 180_000;

/** Pause between an answer and the next call, in ms. */
const PAUSE = 5;

const MiB = 1024 ** 2;

async function measure(run: Run): Promise<void> {
  const { effort, figures, signal } = run;
  const { downloads, clients, waiting, askFor } = SIZES[effort];
  if (await lacksFiles(run, clients + waiting)) return;
  await alternate(run, [
    async () => {
      const env = { MAX_CONNECTIONS_PER_ADDRESS: String(2 * clients + waiting), ENROLL_TOKEN: "" };
      const prepare = storing({ downloads, clients, audit: downloads });
      await using stage = await Stage.open(run.places.disk, signal, env, { prepare });
      const { api, url, server } = stage.system;
      const { token } = await api.createToken({ name: "viewer", role: "viewer" });
      await using peers = new AsyncDisposableStack();
      startIdle(stage, peers, clients);
      await waitFor(
        async () => (await api.health()).connected_clients === clients,
        `${clients} clients to be connected`,
        DEADLINE,
      );
      const socketUrl = `${url.replace("http", "ws")}/ws`;
      peers.use(Peer.start("waiting-sockets.ts", [socketUrl, String(waiting)]));

      const health = async (name: string) => {
        const took = await healthFor(stage, askFor);
        figures.add(`health p50 ${name}`, "ms", quantile(took, 0.5));
        figures.add(`health p99 ${name}`, "ms", quantile(took, 0.99));
        figures.add(`slowest health ${name}`, "ms", Math.max(...took));
      };
      await health("while nobody asks");
      const viewer = peers.use(
        Peer.start("viewer.ts", [url, token, String(AT_ONCE), String(STREAMS)]),
      );
      const start = performance.now();
      await health("while a viewer asks for everything");
      const answers = Number(await viewer.ask("how many?"));
      figures.add("answers to the viewer", "per s", answers / ((performance.now() - start) / 1000));
      const { peakMemory } = await usageOf(server.pid);
      figures.add("peak memory of the server", "MiB", peakMemory / MiB);
    },
  ]);
}

/**
 * Calls /health repeatedly for this many ms.
 * @returns the duration of each call, in ms
 */
async function healthFor({ api }: Stage, ms: number): Promise<number[]> {
  const took: number[] = [];
  for (const until = performance.now() + ms; performance.now() < until;) {
    const start = performance.now();
    await api.health();
    took.push(performance.now() - start);
    await Bun.sleep(PAUSE);
  }
  return took;
}

export const stored: Scenario = {
  name: "stored",
  about:
    "1,000,000 downloads, 10,000 clients and 200 sockets that wait, and a viewer who asks for everything",
  rounds: { tiny: 1, quick: 1, full: 1 },
  seconds: { tiny: 5, quick: 40, full: 300 },
  heavy: true,
  measure,
};
