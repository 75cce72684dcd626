import { addCost } from "../core/cost.ts";
import { probeRest } from "../core/rest-probe.ts";
import { alternate, type Effort, type Run, type Scenario } from "../core/scenario.ts";
import { Stage } from "../core/stage.ts";
import { quantile } from "../core/statistics.ts";

const MiB = 1024 ** 2;

interface Load {
  /** Number of clients, by size of the run. A tiny run only tests the bench. */
  clients: Record<Effort, number>;
  /** Size of each client's file in bytes, by size of the run. */
  size: Record<Effort, number>;
}

/**
 * Measures many clients that send at the same time, and one client that sends as many bytes. REST is called
 * meanwhile.
 */
async function measure(run: Run, load: Load): Promise<void> {
  const { effort, figures } = run;
  const [count, size] = [load.clients[effort], load.size[effort]];
  const place = run.places.disk;
  await using stage = await Stage.open(place, run.signal, { MAX_ACTIVE_DOWNLOADS: String(count) });
  await stage.addClients(count);
  const one = await stage.serve(await place.file(size * count));
  const each = await stage.serve(await place.file(size));
  const single = [{ client_id: "site-1", file_path: one }];
  const all = Array.from({ length: count }, (_, n) => ({
    client_id: `site-${n + 1}`,
    file_path: each,
  }));
  // Warm-up, as otherwise the just-in-time compilers of the processes would be measured.
  const [warm] = (await stage.pull(all)).records;
  await stage.pull(all);

  await alternate(run, [
    async () => {
      const { bytes, seconds } = await stage.pull(single);
      figures.add("one client", "MiB/s", bytes / MiB / seconds);
    },
    async () => {
      const pulling = stage.measure(all);
      const latencies = await probeRest(stage.api, warm!.download_id, pulling);
      const pulls = await pulling;
      figures.add("total", "MiB/s", pulls.bytes / MiB / pulls.seconds);
      figures.add("slowest ÷ fastest", "ratio", Math.min(...pulls.each) / pulls.seconds);
      figures.add("REST p50", "ms", quantile(latencies, 0.5));
      figures.add("REST p99", "ms", quantile(latencies, 0.99));
      addCost(figures, pulls);
    },
  ]);
  figures.compare("total ÷ one client", "total", "one client");
}

function manyClients(
  clients: number,
  load: Load,
  rest: Pick<Scenario, "rounds" | "seconds" | "heavy">,
): Scenario {
  return {
    name: `${clients}-clients`,
    about: `${clients} clients that all send at once to the disk, and one that sends as much`,
    ...rest,
    measure: (run) => measure(run, load),
  };
}

export const manyClientsScenarios: Scenario[] = [
  manyClients(
    3,
    {
      clients: { tiny: 2, quick: 3, full: 3 },
      size: { tiny: MiB, quick: 64 * MiB, full: 256 * MiB },
    },
    { rounds: { tiny: 1, quick: 2, full: 3 }, seconds: { tiny: 2, quick: 5, full: 20 } },
  ),
  manyClients(
    32,
    {
      clients: { tiny: 3, quick: 32, full: 32 },
      size: { tiny: MiB, quick: 8 * MiB, full: 32 * MiB },
    },
    { rounds: { tiny: 1, quick: 2, full: 3 }, seconds: { tiny: 2, quick: 15, full: 30 } },
  ),
  manyClients(
    256,
    {
      clients: { tiny: 4, quick: 256, full: 256 },
      size: { tiny: MiB, quick: 2 * MiB, full: 8 * MiB },
    },
    {
      rounds: { tiny: 1, quick: 1, full: 2 },
      seconds: { tiny: 2, quick: 120, full: 400 },
      heavy: true,
    },
  ),
];
