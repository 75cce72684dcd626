import { setDefaultTimeout, test } from "bun:test";
import { truncate, writeFile } from "node:fs/promises";
import { EFFORT } from "./effort.ts";
import { versionOf } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* The other sizes of row 31 are in tests/e2e/transfer.test.ts. */

const GiB = 1024 ** 3;
/** Beyond what 32 bits can count. */
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
