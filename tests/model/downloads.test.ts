import { afterAll, beforeAll, jest, spyOn, test } from "bun:test";
import * as fc from "fast-check";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PostgresPool } from "../../lib/server/database/postgres-pool.ts";
import type { Repository } from "../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../lib/server/database/sql.ts";
import { WriteAheadLog } from "../../lib/server/database/write-ahead-log.ts";
import { Bucket } from "../../lib/server/storage/s3/bucket.ts";
import { SEED, seedCount } from "../faults/seeds.ts";
import { makeDatabase, ON_POSTGRES, ON_S3 } from "../support/backend.ts";
import { Random } from "../support/random.ts";
import { steps } from "./commands.ts";
import { MemoryWorld } from "./memory-world.ts";

/*
 * A model test of downloads and jobs. It takes random steps such as request, cancel or crash, and checks the
 * invariants after each. At the end, every download has to end. fast-check shortens a failing list of steps
 * as far as possible, and prints it with the seed and path that repeat it.
 */

const RUNS = seedCount(100);

/** Longest time of one run, in ms. Runs with Postgres or S3 take longer. */
const MOST_OF_RUN_MS = ON_POSTGRES + ON_S3 === "" ? 1_000 : 15_000;

/** Folder of a memory file system, for the database. On a real disk, commits would take most of the time. */
const MEMORY = "/dev/shm";

/** Longest duration of a simulated flush, in microtask turns, so that much other work runs meanwhile. */
const MAX_FLUSH_TURNS = 100;

let folder: string;
let repository: Repository;
let flushing = 0;

/**
 * Wraps an asynchronous method so that running calls count as flushes, which {@link MemoryWorld} waits for.
 */
function countWork<T extends object>(of: T, method: keyof T): void {
  const work = of[method] as (...given: unknown[]) => Promise<unknown>;
  const counted = async function (this: T, ...given: unknown[]) {
    flushing++;
    try {
      return await work.apply(this, given);
    } finally {
      flushing--;
    }
  };
  Object.assign(of, { [method]: counted });
}

async function openNew(): Promise<Repository> {
  const isInPostgres = ON_POSTGRES !== "";
  const file = `sqlite://${folder}/${Bun.randomUUIDv7()}.db`;
  return openSqlRepository(isInPostgres ? await makeDatabase() : file);
}

beforeAll(async () => {
  folder = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "fds-model-"));
  repository = await openNew();
  // A simulated flush takes a random number of microtasks, and no time of the test's fake clock.
  const random = new Random(SEED);
  spyOn(WriteAheadLog.prototype, "flush").mockImplementation(async () => {
    flushing++;
    for (let turns = random.int(0, MAX_FLUSH_TURNS); turns > 0; turns--) await undefined;
    flushing--;
  });
  // Calls to Postgres and S3 take real time, so the world waits for them as for a flush.
  countWork(PostgresPool.prototype, "use");
  countWork(Bucket.prototype, "ask");
});
afterAll(async () => {
  jest.restoreAllMocks();
  await repository.close();
  await rm(folder, { recursive: true, force: true });
});

async function walk(list: Iterable<fc.AsyncCommand<{ full: boolean }, MemoryWorld>>) {
  jest.useFakeTimers();
  const advance = (ms: number) => void jest.advanceTimersByTime(ms);
  const rows = repository;
  const clientId = `site-${Bun.randomUUIDv7()}`;
  const world = await MemoryWorld.begin(rows, clientId, advance, () => flushing > 0);
  try {
    await world.settle();
    await fc.asyncModelRun(() => ({ model: { full: false }, real: world }), list);
    await world.expectAllEnds();
  } catch (error) {
    // A failed run leaves unfinished downloads in the database, so the next run gets a new one.
    repository = await openNew();
    throw error;
  } finally {
    await world.stop();
    if (rows !== repository) await rows.close();
    jest.useRealTimers();
  }
}

test(
  `downloads do what the model says, ${RUNS} runs (FDS_SEED=${SEED})`,
  () => fc.assert(fc.asyncProperty(steps, walk), { seed: SEED, numRuns: RUNS }),
  60_000 + RUNS * MOST_OF_RUN_MS,
);
