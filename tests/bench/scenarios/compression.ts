import { alternate, type Run, type Scenario } from "../core/scenario.ts";
import { Stage } from "../core/stage.ts";
import { NetworkLink } from "../peers/link.ts";
import { NARROW } from "./wan.ts";

const MiB = 1024 ** 2;

const LOGS = { tiny: MiB / 4, quick: 8 * MiB, full: 16 * MiB };

const RANDOM = { tiny: MiB, quick: 64 * MiB, full: 256 * MiB };

/**
 * Number of transfers of random bytes in one round. A single one is short, and its duration varies too much.
 */
const REPEATS = { tiny: 1, quick: 3, full: 4 };

/**
 * Measures pulls from clients with and without compression: the gain for logs and the loss for random bytes.
 */
async function measure(run: Run): Promise<void> {
  const { effort, figures } = run;
  const place = run.places.memory;
  await using stage = await Stage.open(place, run.signal);
  await using network = await NetworkLink.open(stage.system.port, NARROW);
  const off = { COMPRESSION: "off" };
  await stage.addClients(1, { server: network.url });
  await stage.addClients(1, { server: network.url, env: off });
  await stage.addClients(1);
  await stage.addClients(1, { env: off });
  const logs = await stage.serve(await place.file(LOGS[effort], "logs"));
  const random = await stage.serve(await place.file(RANDOM[effort]));

  const pull = async (name: string, client: number, filePath: string) => {
    const wanted = { client_id: `site-${client}`, file_path: filePath };
    figures.add(name, "s", (await stage.pull([wanted])).seconds);
  };
  await alternate(run, [() => pull("logs, zstd", 1, logs), () => pull("logs, raw", 2, logs)]);
  for (const client of [3, 4])
    await stage.pull([{ client_id: `site-${client}`, file_path: random }]);
  await alternate({ ...run, rounds: run.rounds * REPEATS[effort] }, [
    () => pull("random bytes, on", 3, random),
    () => pull("random bytes, off", 4, random),
  ]);
  figures.compare("logs, zstd ÷ raw", "logs, zstd", "logs, raw");
  figures.compare("random bytes, off ÷ on", "random bytes, off", "random bytes, on");
}

export const compression: Scenario = {
  name: "compression",
  about: `logs over ${NARROW.name}, random bytes on loopback, each with compression and without`,
  rounds: { tiny: 1, quick: 1, full: 3 },
  seconds: { tiny: 4, quick: 12, full: 40 },
  measure,
};
