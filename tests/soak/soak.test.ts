import { expect, test } from "bun:test";
import { SEED } from "../faults/seeds.ts";
import { HAS_PROC } from "../support/footprint.ts";
import { linesOf } from "./report.ts";
import { soak } from "./soak.ts";

/*
 * Runs a short soak test. `bun run soak --minutes N` runs a long one. FDS_SEED repeats the faults of an
 * earlier run.
 */

const OPTIONS = { minutes: 0.25, clients: 6, intensity: 2, seed: SEED };

const where = HAS_PROC ? "" : " (only on Linux: elsewhere it cannot see what processes hold)";

test.skipIf(!HAS_PROC)(
  `pulls come through a storm of faults, FDS_SEED=${SEED}${where}`,
  async () => {
    const report = await soak(OPTIONS, () => undefined);
    expect(report.violations, linesOf(report).join("\n")).toEqual([]);
    expect(report.downloads["completed"]).toBeGreaterThan(0);
    expect(Object.keys(report.faults).length).toBeGreaterThan(3);
    expect(report.samples.length).toBeGreaterThan(3);
  },
  300_000,
);
