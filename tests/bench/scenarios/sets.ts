import type { NewDownload } from "../../../lib/api/schemas.ts";
import { alternate, diskOf, type Effort, type Run, type Scenario } from "../core/scenario.ts";
import { Stage } from "../core/stage.ts";
import { writeTree } from "../core/trees.ts";
import { rsyncFolder } from "../yardsticks/rsync.ts";
import { howToGet } from "../yardsticks/tools.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/**
 * Number and size of the files in a set that is pulled first, as warm-up, because a real server has been
 * running for a while.
 */
const WARM_UP = { count: 100, size: KiB };

/**
 * Starts a server and one client, and pulls a set as warm-up. The files of both stay until all scenarios are
 * over.
 */
async function warmStage(run: Run): Promise<Stage> {
  const stage = await Stage.open(diskOf(run), run.signal, {}, { leave: true });
  try {
    await stage.addClients(1);
    await writeTree(stage.system.source("warm-up"), WARM_UP.count, WARM_UP.size);
    await stage.pull([folderOf("warm-up")]);
    return stage;
  } catch (error) {
    await stage[Symbol.asyncDispose]();
    throw error;
  }
}

function folderOf(name: string): NewDownload {
  return { client_id: "site-1", paths: [name] };
}

const SMALL = { tiny: 50, quick: 10_000, full: 10_000 };

/** Measures small files as one set, and rsync with the same folder and disk. */
async function measureSmall(run: Run): Promise<void> {
  const { effort, figures } = run;
  const count = SMALL[effort];
  await using stage = await warmStage(run);
  const source = stage.system.source("small");
  await writeTree(source, count, 4 * KiB);
  const contenders = [
    async () => {
      const pulls = await stage.measure([folderOf("small")]);
      figures.add("ours", "s", pulls.seconds);
      figures.add("files", "per s", count / pulls.seconds);
      figures.add("CPU of the server", "s", pulls.serverCpu);
      figures.add("CPU of the client", "s", pulls.clientsCpu);
    },
  ];
  await using opened = new AsyncDisposableStack();
  const { name, tools, open } = rsyncFolder;
  const missing = howToGet(tools);
  if (missing === null) {
    const yardstick = opened.use(await open(source, diskOf(run).folder));
    contenders.push(async () => figures.add(name, "s", await yardstick.carry()));
  } else {
    run.notRun(name, missing);
  }
  await alternate(run, contenders);
  figures.compare(`${name} ÷ ours`, name, "ours");
}

const TINY = { tiny: 100, quick: 100_000, full: 100_000 };

/** Measures the time and memory for very many files, and the time for a tenth as many. */
async function measureTiny(run: Run): Promise<void> {
  const { effort, figures } = run;
  const count = TINY[effort];
  await using stage = await warmStage(run);
  await writeTree(stage.system.source("all"), count, KiB);
  await writeTree(stage.system.source("tenth"), count / 10, KiB);
  await alternate(run, [
    async () => {
      const { seconds } = await stage.pull([folderOf("tenth")]);
      figures.add("ten times a tenth of them", "s", 10 * seconds);
    },
    async () => {
      const pulls = await stage.measure([folderOf("all")]);
      figures.add("all of them", "s", pulls.seconds);
      figures.add("files", "per s", count / pulls.seconds);
      figures.add("peak memory of the server", "MiB", pulls.serverMemory / MiB);
      figures.add("peak memory of the client", "MiB", pulls.clientMemory / MiB);
    },
  ]);
  figures.compare(
    "ten times a tenth of them ÷ all of them",
    "ten times a tenth of them",
    "all of them",
  );
}

const LARGE: Record<Effort, { files: number; bytes: number }> = {
  tiny: { files: 4, bytes: MiB },
  quick: { files: 1_000, bytes: GiB },
  full: { files: 1_000, bytes: GiB },
};

/** Measures a single file, and a set with as many bytes. */
async function measureLarge(run: Run): Promise<void> {
  const { effort, figures } = run;
  const { files, bytes } = LARGE[effort];
  await using stage = await warmStage(run);
  await writeTree(stage.system.source("large"), files, Math.floor(bytes / files));
  const single = await stage.serve(await diskOf(run).file(bytes));
  const pull = async (what: string, wanted: NewDownload) => {
    const pulls = await stage.measure([wanted]);
    figures.add(what, "s", pulls.seconds);
    figures.add(`${what}, rate`, "MiB/s", pulls.bytes / MiB / pulls.seconds);
    figures.add(`${what}, CPU of the server`, "s", pulls.serverCpu);
    figures.add(`${what}, CPU of the client`, "s", pulls.clientsCpu);
  };
  await alternate(run, [
    () => pull("a single file", { client_id: "site-1", file_path: single }),
    () => pull("a set", folderOf("large")),
  ]);
  figures.compare("a single file ÷ a set", "a single file", "a set");
}

export const setScenarios: Scenario[] = [
  {
    name: "set-small",
    about: "a set of 10,000 files of 4 KiB to the disk, against rsync",
    rounds: { tiny: 1, quick: 2, full: 5 },
    seconds: { tiny: 2, quick: 12, full: 30 },
    measure: measureSmall,
  },
  {
    name: "set-tiny",
    about: "a set of 100,000 files of 1 KiB to the disk, against a tenth as many",
    rounds: { tiny: 1, quick: 1, full: 2 },
    seconds: { tiny: 2, quick: 35, full: 60 },
    heavy: true,
    measure: measureTiny,
  },
  {
    name: "set-large",
    about: "a set of 1,000 files, 1 GiB in all, to the disk, against a single file of 1 GiB",
    rounds: { tiny: 1, quick: 2, full: 5 },
    seconds: { tiny: 2, quick: 25, full: 60 },
    measure: measureLarge,
  },
];
