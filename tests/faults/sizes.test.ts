import { expect, setDefaultTimeout, test } from "bun:test";
import { truncate, writeFile } from "node:fs/promises";
import { Random } from "../support/random.ts";
import { flawsOfSet, pullSet, writeSet } from "../support/set-source.ts";
import { EFFORT } from "./effort.ts";
import { SEED } from "./seeds.ts";
import { versionOf } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Row 31 of the fault table, for files over 4 GiB. Other sizes are in tests/e2e/transfer.test.ts. */

const GiB = 1024 ** 3;
/** A size in bytes beyond the range of 32-bit integers. */
const SIZE = 5 * GiB + 1;
const DEADLINE = 600_000;

const reason = EFFORT < 10 ? " (takes minutes and 5 GiB: set FAULT_EFFORT=10)" : "";

test.skipIf(EFFORT < 10)(
  `row 31: 5 GiB, sparse${reason}`,
  async () => {
    await using system = await System.start();
    const path = system.source("sparse.img");
    await writeFile(path, "");
    await truncate(path, SIZE);
    await system.startClient();
    const wanted = await versionOf(path);
    const record = await system.ended(await system.pull("sparse.img"), DEADLINE);
    await system.expectDelivered(record, wanted);
    await system.expectTidy();
  },
  2 * DEADLINE,
);

test.skipIf(EFFORT < 10)(
  `row 31: 5 GiB, sparse, among tiny files of a set${reason}`,
  async () => {
    await using system = await System.start();
    await writeSet(system, new Random(SEED), { small: 1_000, large: [] });
    const path = system.source("exports/3/sparse.img");
    await writeFile(path, "");
    await truncate(path, SIZE);
    await system.startClient();
    const record = await system.ended(await pullSet(system), DEADLINE);
    expect(record).toMatchObject({ status: "completed", files_received: 1_001 });
    expect(flawsOfSet(system, record.saved_path!)).toBe("");
    await system.expectNoParts();
  },
  2 * DEADLINE,
);
