import { TEST_LIMIT } from "../support/wait.ts";

/** The first seed of a run, from FDS_SEED or random. Further seeds follow it. */
export const SEED = Number(process.env["FDS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** Number of seeds tested at once. Most of their time is spent waiting for clients to reconnect. */
const AT_ONCE = 4;

/** Time limit for one seed, in ms. A client that failed to connect several times waits up to a minute. */
const DEADLINE = TEST_LIMIT;

/**
 * Returns how many seeds a random test runs: FAULT_SEEDS, or the default.
 * @param usual the default, as in CI
 */
export function seedCount(usual: number): number {
  return Number(process.env["FAULT_SEEDS"] ?? usual);
}

/** Returns the time limit for {@link overSeeds} with this many seeds, in ms. */
export function deadlineOf(count: number): number {
  return Math.ceil(count / AT_ONCE) * DEADLINE;
}

/**
 * Runs a function for each of `count` seeds, from {@link SEED} on.
 * @throws AggregateError after all have ended, with the commands that repeat the failed seeds
 */
export async function overSeeds(
  count: number,
  run: (seed: number) => Promise<void>,
): Promise<void> {
  const seeds = Array.from({ length: count }, (_, n) => SEED + n);
  const failures: Error[] = [];
  const work = async () => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      try {
        await run(seed);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        failures.push(new Error(`FDS_SEED=${seed} FAULT_SEEDS=1 fails: ${why}`, { cause }));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failures.length > 0) {
    throw new AggregateError(failures, failures.map(({ message }) => message).join("\n\n"));
  }
}
