import { describe, setDefaultTimeout, test } from "bun:test";
import { type FaultName, FAULTS } from "./scenario-faults.ts";
import { play, scenarioOf } from "./scenario.ts";
import { deadlineOf, overSeeds, SEED, seedCount } from "./seeds.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const MiB = 1024 * 1024;

/**
 * Limits of a file's size, in bytes. They exceed the window and a checkpoint by far, so that a check of
 * bytes sent twice is meaningful.
 */
const LARGE = { min: 24 * MiB, max: 32 * MiB };

interface Row {
  row: string;
  faults: FaultName[];
  sizes?: { min: number; max: number };
  /** Number of seeds in CI. */
  usual: number;
}

const ROWS: Row[] = [
  { row: "row 1: the server is killed", faults: ["the server is killed"], usual: 4 },
  { row: "row 3: the client is killed", faults: ["the client is killed"], usual: 2, sizes: LARGE },
  { row: "row 4: both are killed at once", faults: ["both are killed"], usual: 2 },
  {
    row: "row 7: FIN in the middle of a frame",
    faults: ["the socket is closed"],
    usual: 2,
    sizes: LARGE,
  },
  {
    row: "row 8: RST in the middle of a frame",
    faults: ["the socket is reset"],
    usual: 2,
    sizes: LARGE,
  },
  { row: "anything breaks", faults: Object.keys(FAULTS) as FaultName[], usual: 2 },
];

describe(`at random moments (FDS_SEED=${SEED}),`, () => {
  for (const { row, faults, sizes, usual } of ROWS) {
    const count = seedCount(usual);
    test(
      `${row}, ${count} seeds`,
      () => overSeeds(count, (seed) => play(scenarioOf(seed, faults, sizes))),
      deadlineOf(count),
    );
  }
});
