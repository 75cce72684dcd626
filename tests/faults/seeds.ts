import { TEST_LIMIT } from "../support/wait.ts";

/** FDS_SEED repeats a run: it is the first seed, the others follow it. */
export const SEED = Number(process.env["FDS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** How many are tried at once: most of the time they wait for a client to come back. */
const AT_ONCE = 4;

/** What no seed may exceed, in ms: a client that found no server some times in a row waits a minute. */
const DEADLINE = TEST_LIMIT;

/**
 * How many seeds a random test runs.
 * @param usual in CI; FAULT_SEEDS sets another number
 */
export function seedCount(usual: number): number {
  return Number(process.env["FAULT_SEEDS"] ?? usual);
}

/** The most that {@link overSeeds} takes, in ms. */
export function deadlineOf(count: number): number {
  return Math.ceil(count / AT_ONCE) * DEADLINE;
}

/**
 * Runs something for each of `count` seeds from {@link SEED} on.
 * @throws Error that says how to run the first one that failed again, once all have ended
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
