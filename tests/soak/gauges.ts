import { type Family, parseMetrics, valueOf } from "../support/prometheus.ts";
import { type Footprint, footprintOf } from "../support/footprint.ts";
import { API_TOKEN } from "../support/system.ts";
import type { World } from "./world.ts";

/** Name of the metric for the event loop's lag. */
const LAG = "fds_event_loop_lag_seconds";

/** The memory (bytes) and the number of descriptors of one or more processes. */
export type Holding = Pick<Footprint, "memory" | "descriptors">;

/** One measurement; null fields could not be measured, for example while the server was restarting. */
export interface Sample {
  /** Time since the soak test began, in minutes. */
  minute: number;
  server: Holding | null;
  /**
   * Id of the measured server process. It changes at a restart, which frees what the earlier process held.
   */
  serverPid: number;
  /** Total memory and descriptors of the clients that are never ended; null: not measured. */
  clients: Holding | null;
  /** Lag of the server's event loop since the last sample, in ms. `worst` is an upper bound. */
  lag: { mean: number; worst: number } | null;
  /** Number of downloads that have ended since the server was started. */
  ended: number | null;
}

/** Measures the server and the clients repeatedly. */
export class Gauges {
  readonly samples: Sample[] = [];
  readonly #begun = performance.now();
  #lagBefore = new Map<string, number>();

  constructor(private readonly world: World) {}

  async look(): Promise<void> {
    const { system, steadyClients } = this.world;
    const { server } = system;
    const page = await scrape(this.world).catch(() => null);
    this.samples.push({
      minute: (performance.now() - this.#begun) / 60_000,
      serverPid: server.pid,
      server: await footprintOf(server).then(sum, () => null),
      clients: await Promise.all(steadyClients.map(footprintOf)).then((all) => sum(...all)),
      lag: page && this.#lagSince(page.get(LAG)?.samples ?? []),
      ended: page && endedBy(page),
    });
  }

  /**
   * Returns the lag since the last sample, from the difference of two readings of the histogram. The counts
   * of the histogram begin at 0 again when the server is restarted.
   */
  #lagSince(samples: Family["samples"]): Sample["lag"] {
    const now = new Map(samples.map(({ name, labels, value }) => [labels["le"] ?? name, value]));
    const rise = (key: string) => {
      const [value = 0, before = 0] = [now.get(key), this.#lagBefore.get(key)];
      return value < before ? value : value - before;
    };
    const count = rise(`${LAG}_count`);
    const bounds = [...now.keys()].filter((key) => !key.startsWith(LAG));
    const worst = bounds.find((bound) => rise(bound) === count) ?? "+Inf";
    const mean = rise(`${LAG}_sum`) / count;
    this.#lagBefore = now;
    if (count === 0) return null;
    return { mean: 1000 * mean, worst: 1000 * (Number(worst) || LONGEST_LAG) };
  }
}

/** Lag in s that is reported if it exceeds all bounds of the histogram. */
const LONGEST_LAG = 2;

async function scrape({ system }: World): Promise<Map<string, Family>> {
  const response = await fetch(`${system.url}/metrics`, {
    headers: { Authorization: `Bearer ${API_TOKEN}` },
    signal: AbortSignal.timeout(10_000),
  });
  return parseMetrics(await response.text());
}

function endedBy(page: Map<string, Family>): number {
  const counts = ["completed", "failed", "cancelled"].map((status) =>
    valueOf(page, "fds_downloads_ended_total", { status }),
  );
  return counts.reduce((total, count) => total + count, 0);
}

function sum(...footprints: Footprint[]): Holding {
  return {
    memory: footprints.reduce((total, { memory }) => total + memory, 0),
    descriptors: footprints.reduce((total, { descriptors }) => total + descriptors, 0),
  };
}
