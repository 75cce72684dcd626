import { addCost } from "../core/cost.ts";
import { BenchBucket } from "../core/bucket.ts";
import { alternate, diskOf, type Effort, type Run, type Scenario } from "../core/scenario.ts";
import { Stage } from "../core/stage.ts";
import { writeTree } from "../core/trees.ts";
import { S3Loop } from "../yardsticks/s3-loop.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** Number of pieces that the bare S3 loop stores at the same time. It also stores them one by one. */
const AT_ONCE = 4;
/** Number of files that the bare S3 loop stores at the same time. */
const FILES_AT_ONCE = 16;

const LARGE: Record<Effort, number> = { tiny: 9 * MiB, quick: 256 * MiB, full: GiB };
const WARM_UP = 64 * MiB;

/**
 * Measures a pull of one file to S3, a pull to the disk, and a bare loop that stores the file's pieces in the
 * same S3.
 */
async function measureLarge(run: Run): Promise<void> {
  const { effort, figures, signal } = run;
  await using bucket = await BenchBucket.open();
  const size = LARGE[effort];
  const place = diskOf(run);
  const file = await place.file(size);
  await using toS3 = await Stage.open(place, signal, bucket.settings);
  await using toDisk = await Stage.open(place, signal);
  await using loop = new S3Loop(bucket, file);
  for (const stage of [toS3, toDisk]) {
    await stage.addClients(1);
    const warmUp = await stage.serve(await place.file(Math.min(size, WARM_UP)));
    await stage.pull([{ client_id: "site-1", file_path: warmUp }]);
    await stage.serve(file);
  }
  const pull = async (what: string, stage: Stage) => {
    const wanted = { client_id: "site-1", file_path: await stage.serve(file) };
    const pulls = await stage.measure([wanted]);
    figures.add(what, "s", pulls.seconds);
    figures.add(`${what}, rate`, "MiB/s", pulls.bytes / MiB / pulls.seconds);
    addCost(figures, pulls, `${what}, `);
    await bucket.clear("site-1/");
  };
  await alternate(run, [
    () => pull("to S3", toS3),
    () => pull("to the disk", toDisk),
    async () => figures.add("PutObject, one by one", "s", await loop.carry(1)),
    async () => figures.add("PutObject, four at once", "s", await loop.carry(AT_ONCE)),
  ]);
  for (const bare of ["PutObject, one by one", "PutObject, four at once"]) {
    figures.compare(`${bare} ÷ to S3`, bare, "to S3");
  }
  figures.compare("to the disk ÷ to S3", "to the disk", "to S3");
}

const SMALL = { tiny: 50, quick: 10_000, full: 10_000 };

/** Measures a pull of a set of small files to S3, and a bare loop that stores the same files. */
async function measureSmall(run: Run): Promise<void> {
  const { effort, figures, signal } = run;
  const count = SMALL[effort];
  await using bucket = await BenchBucket.open();
  await using stage = await Stage.open(diskOf(run), signal, bucket.settings);
  await stage.addClients(1);
  const source = stage.system.source("small");
  await writeTree(source, count, 4 * KiB);
  await using loop = new S3Loop(bucket, source);
  await alternate(run, [
    async () => {
      const pulls = await stage.measure([{ client_id: "site-1", paths: ["small"] }]);
      figures.add("ours", "s", pulls.seconds);
      figures.add("files", "per s", count / pulls.seconds);
      figures.add("CPU of the server", "s", pulls.serverCpu);
      await bucket.clear("site-1/");
    },
    async () => figures.add("PutObject, 16 at once", "s", await loop.carry(FILES_AT_ONCE)),
  ]);
  figures.compare("PutObject, 16 at once ÷ ours", "PutObject, 16 at once", "ours");
}

export const s3Scenarios: Scenario[] = [
  {
    name: "s3-1gib",
    about: "one client, a file of 1 GiB, to S3 and to the disk, against a loop that stores it bare",
    rounds: { tiny: 1, quick: 2, full: 7 },
    seconds: { tiny: 4, quick: 60, full: 180 },
    heavy: true,
    measure: measureLarge,
  },
  {
    name: "s3-set-small",
    about: "a set of 10,000 files of 4 KiB to S3, against a loop that stores them bare",
    rounds: { tiny: 1, quick: 1, full: 5 },
    seconds: { tiny: 2, quick: 40, full: 180 },
    heavy: true,
    measure: measureSmall,
  },
];
