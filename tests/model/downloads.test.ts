import { afterAll, beforeAll, jest, spyOn, test } from "bun:test";
import * as fc from "fast-check";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Repository } from "../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../lib/server/database/sql.ts";
import { WriteAheadLog } from "../../lib/server/database/write-ahead-log.ts";
import { SEED, seedCount } from "../faults/seeds.ts";
import { Random } from "../support/random.ts";
import { steps } from "./commands.ts";
import { MemoryWorld } from "./memory-world.ts";

/*
 * Whatever is done in whatever order, what must hold holds after every step, and in the end every
 * download ends. A list of steps that fails is made as short as can be and shown, with the seed and
 * the path that repeat it.
 */

const RUNS = seedCount(250);

/** A disk in memory, where there is one: what a commit costs on a real one is most of the time. */
const MEMORY = "/dev/shm";

/** Others do a lot meanwhile. */
const MAX_FLUSH_TURNS = 100;

let folder: string;
let repository: Repository;
let flushing = 0;

async function openNew(): Promise<Repository> {
  return openSqlRepository(`sqlite://${folder}/${Bun.randomUUIDv7()}.db`);
}

beforeAll(async () => {
  folder = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "fds-model-"));
  repository = await openNew();
  // On the clock that the test moves, a flush takes turns of the loop and no time.
  const random = new Random(SEED);
  spyOn(WriteAheadLog.prototype, "flush").mockImplementation(async () => {
    flushing++;
    for (let turns = random.int(0, MAX_FLUSH_TURNS); turns > 0; turns--) await undefined;
    flushing--;
  });
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
  const world = new MemoryWorld(rows, clientId, advance, () => flushing > 0);
  try {
    await world.settle();
    await fc.asyncModelRun(() => ({ model: { full: false }, real: world }), list);
    await world.expectAllEnds();
  } catch (error) {
    // What it leaves behind is no matter of the next run.
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
  60_000 + RUNS * 1_000,
);
