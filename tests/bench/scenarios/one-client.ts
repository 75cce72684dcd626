import { addCost } from "../core/cost.ts";
import type { NewDownload } from "../../../lib/api/schemas.ts";
import { alternate, type Effort, type Run, type Scenario } from "../core/scenario.ts";
import { Stage } from "../core/stage.ts";
import type { PlaceName } from "../core/workspace.ts";
import { md5sums } from "../yardsticks/md5sums.ts";
import { nginx } from "../yardsticks/nginx.ts";
import { rsync, rsyncMd5 } from "../yardsticks/rsync.ts";
import { sockets } from "../yardsticks/sockets.ts";
import { howToGet } from "../yardsticks/tools.ts";
import type { Yardstick } from "../yardsticks/yardstick.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/**
 * Size in bytes of the file that is pulled first, as warm-up, because a real server has been running for a
 * while.
 */
const WARM_UP = 64 * MiB;

const YARDSTICKS = [md5sums, sockets, rsync, rsyncMd5, nginx];

/** Options of the measured pulls, by the name of the figure. */
const PULLS = {
  "ours, MD5": {},
  "ours, SHA-256": { checksum: "sha256" },
} as const satisfies Record<string, Partial<NewDownload>>;

/**
 * Measures pulls of one file from one client, from the POST request to `completed`, and other tools that
 * transfer the file.
 */
function oneClient(
  name: string,
  placeName: PlaceName,
  sizes: Record<Effort, number>,
  rest: Pick<Scenario, "about" | "rounds" | "seconds">,
): Scenario {
  return {
    name,
    ...rest,
    measure: (run) => measure(run, placeName, sizes[run.effort]),
  };
}

async function measure(run: Run, placeName: PlaceName, size: number): Promise<void> {
  const { figures } = run;
  const place = run.places[placeName];
  const file = await place.file(size);
  await using stage = await Stage.open(place, run.signal);
  await stage.addClients(1);
  const warmUp = await stage.serve(await place.file(Math.min(size, WARM_UP)));
  await stage.pull([{ client_id: "site-1", file_path: warmUp }]);
  const filePath = await stage.serve(file);

  const ours = Object.entries(PULLS).map(([what, options]) => async () => {
    await pull(run, stage, what, { client_id: "site-1", file_path: filePath, ...options });
  });
  await using opened = new AsyncDisposableStack();
  const others: (() => Promise<void>)[] = [];
  for (const { name, tools, open } of YARDSTICKS) {
    const missing = howToGet(tools);
    if (missing !== null) {
      run.notRun(name, missing);
      continue;
    }
    const yardstick: Yardstick = opened.use(await open(file, place.folder));
    others.push(async () => figures.add(name, "s", await yardstick.carry()));
  }
  await alternate(run, [...ours, ...others]);
  figures.compare("ours, MD5 ÷ ours, SHA-256", "ours, MD5", "ours, SHA-256");
  for (const what of Object.keys(PULLS)) {
    for (const { name } of YARDSTICKS) figures.compare(`${name} ÷ ${what}`, name, what);
  }
}

async function pull(run: Run, stage: Stage, what: string, wanted: NewDownload): Promise<void> {
  const { figures } = run;
  const pulls = await stage.measure([wanted]);
  figures.add(what, "s", pulls.seconds);
  figures.add(`${what}, rate`, "MiB/s", pulls.bytes / MiB / pulls.seconds);
  addCost(figures, pulls, `${what}, `);
}

const SMALL = { tiny: MiB, quick: 100 * MiB, full: 100 * MiB };
const LARGE = { tiny: 2 * MiB, quick: GiB, full: GiB };

export const oneClientScenarios: Scenario[] = [
  oneClient("100mib-disk", "disk", SMALL, {
    about: "one client, a file of 100 MiB, to the disk",
    rounds: { tiny: 1, quick: 3, full: 9 },
    seconds: { tiny: 3, quick: 8, full: 25 },
  }),
  oneClient("100mib-memory", "memory", SMALL, {
    about: "one client, a file of 100 MiB, to /dev/shm",
    rounds: { tiny: 1, quick: 3, full: 9 },
    seconds: { tiny: 3, quick: 8, full: 25 },
  }),
  oneClient("1gib-disk", "disk", LARGE, {
    about: "one client, a file of 1 GiB, to the disk",
    rounds: { tiny: 1, quick: 1, full: 3 },
    seconds: { tiny: 3, quick: 20, full: 60 },
  }),
  oneClient("1gib-memory", "memory", LARGE, {
    about: "one client, a file of 1 GiB, to /dev/shm",
    rounds: { tiny: 1, quick: 1, full: 4 },
    seconds: { tiny: 3, quick: 15, full: 56 },
  }),
];
