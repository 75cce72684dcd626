import { expect } from "bun:test";
import { type Footprint, footprintOf, HAS_PROC } from "./footprint.ts";
import type { Program } from "./programs.ts";
import { waitFor } from "./wait.ts";

const MiB = 1024 * 1024;

/** Descriptors that come and go: connections that are kept for the next call. */
const SPARE_DESCRIPTORS = 16;
/** What a runtime takes as it warms up, and keeps of what was freed. */
const SPARE_MEMORY = 192 * MiB;

/** A program whose footprint was taken. */
export interface Watched {
  /** @returns both footprints, in words */
  expectNoLeak(): Promise<string>;
}

/** Takes a program's footprint, to be compared with what it is after the test did its worst. */
export async function watch(program: Program): Promise<Watched> {
  const before = HAS_PROC ? await footprintOf(program) : undefined;
  return {
    async expectNoLeak() {
      if (!before) return `${program.name}: this system does not tell what it holds`;
      const after = await waitFor(async () => {
        const now = await footprintOf(program);
        return now.descriptors <= before.descriptors + SPARE_DESCRIPTORS && now;
      }, `${program.name} to close what it opened, ${before.descriptors} descriptors and few more`);
      expect(after.memory).toBeLessThan(before.memory + SPARE_MEMORY);
      return `${program.name}: ${describe(before)} before, ${describe(after)} after`;
    },
  };
}

function describe({ descriptors, memory }: Footprint): string {
  return `${descriptors} descriptors and ${Math.round(memory / MiB)} MiB`;
}
