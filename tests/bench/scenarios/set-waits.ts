import type { NewDownload } from "../../../lib/api/schemas.ts";
import { alternate, diskOf, type Run, type Scenario, secondsOf } from "../core/scenario.ts";
import { Stage } from "../core/stage.ts";
import { writeTree } from "../core/trees.ts";
import { NetworkLink } from "../peers/link.ts";
import { NARROW } from "./wan.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/*
 * Scenarios where an operator waits although few or no bytes have to be sent.
 */

const FAR = { tiny: 20, quick: 2_000, full: 2_000 };
const FAR_SIZE = 2 * KiB;

/** Measures small files over a long and narrow link, where each round trip matters. */
async function measureFar(run: Run): Promise<void> {
  const { effort, figures, signal } = run;
  const count = FAR[effort];
  const carried = (count * FAR_SIZE * 8) / NARROW.bitsPerSecond;
  await alternate(run, [
    async () => {
      await using stage = await Stage.open(run.places.memory, signal);
      await using network = await NetworkLink.open(stage.system.port, NARROW);
      await writeTree(stage.system.source("far"), count, FAR_SIZE);
      await stage.addClients(1, { server: network.url });
      for (const pull of ["first pull", "second pull"]) {
        const { seconds } = await stage.pull([{ client_id: "site-1", paths: ["far"] }]);
        figures.add(pull, "s", seconds);
        figures.add(`${pull}, beyond the bytes`, "s", seconds - carried);
      }
    },
  ]);
}

const NAMES = { tiny: 200, quick: 100_000, full: 100_000 };

/**
 * Measures the listing of the first page of a folder that has the largest number of names that a client
 * lists.
 */
async function measureListing(run: Run): Promise<void> {
  const { effort, figures, signal } = run;
  await using stage = await Stage.open(diskOf(run), signal, {}, { leave: true });
  await writeTree(stage.system.source("names"), NAMES[effort], 0, NAMES[effort]);
  await stage.addClients(1);
  const page = () =>
    stage.api.clientFiles("site-1", { path: "names/folder-0", cursor: undefined }, signal);
  await alternate(run, [async () => figures.add("first page", "s", await secondsOf(page))]);
}

const UNCHANGED = { tiny: 50, quick: 10_000, full: 10_000 };

/** A link without limits, which only counts bytes. */
const OPEN = { bitsPerSecond: Infinity, roundTrip: 0 };

/** Measures a set whose files are all stored already and have not changed. */
async function measureUnchanged(run: Run): Promise<void> {
  const { effort, figures, signal } = run;
  await using stage = await Stage.open(diskOf(run), signal, {}, { leave: true });
  await using network = await NetworkLink.open(stage.system.port, OPEN);
  await writeTree(stage.system.source("same"), UNCHANGED[effort], 4 * KiB);
  await stage.addClients(1, { server: network.url });
  const wanted: NewDownload = { client_id: "site-1", paths: ["same"], unchanged: "skip" };
  await stage.pull([wanted]);
  await alternate(run, [
    async () => {
      const before = await network.sent();
      const { seconds, records } = await stage.pull([wanted]);
      const after = await network.sent();
      if (records[0]?.files_unchanged !== UNCHANGED[effort]) throw new Error("a file came again");
      figures.add("nothing changed", "s", seconds);
      const bytes = after.up - before.up + after.down - before.down;
      figures.add("on the wire", "MiB", bytes / MiB);
    },
  ]);
}

export const setWaitScenarios: Scenario[] = [
  {
    name: "set-wan",
    about: `a set of 2,000 files of 2 KiB over ${NARROW.name}, the first and the second pull`,
    rounds: { tiny: 1, quick: 2, full: 5 },
    seconds: { tiny: 3, quick: 15, full: 35 },
    measure: measureFar,
  },
  {
    name: "set-listing",
    about: "the first page of a folder with 100,000 names",
    rounds: { tiny: 1, quick: 3, full: 9 },
    seconds: { tiny: 1, quick: 8, full: 12 },
    measure: measureListing,
  },
  {
    name: "set-unchanged",
    about: "a set of 10,000 files of 4 KiB that are all stored already",
    rounds: { tiny: 1, quick: 3, full: 7 },
    seconds: { tiny: 2, quick: 10, full: 18 },
    measure: measureUnchanged,
  },
];
