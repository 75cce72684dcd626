import { type Family, parseMetrics, valueOf } from "../support/prometheus.ts";
import { type Footprint, footprintOf } from "../support/footprint.ts";
import { API_TOKEN } from "../support/system.ts";
import type { World } from "./world.ts";

/** What the metrics call the lateness of the event loop. */
const LAG = "fds_event_loop_lag_seconds";

/** What one or more processes hold. */
export type Holding = Pick<Footprint, "memory" | "descriptors">;

/** What was measured at a moment; null where nobody was there to be measured. */
export interface Sample {
  /** Since the soak began, in minutes. */
  minute: number;
  server: Holding | null;
  /** The process that this was: what an earlier one held is gone. */
  serverPid: number;
  /** Memory and files of the clients that are never ended, together. */
  clients: Holding | null;
  /** How late the server's event loop was since the last sample, in ms; `worst` at most. */
  lag: { mean: number; worst: number } | null;
  /** Downloads that have ended since the server was started. */
  ended: number | null;
}

/** Measures a world again and again. */
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

  /** Between two looks at a histogram that only rises, but for a restart. */
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

/** What lies beyond all bounds is shown as this many seconds. */
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
