import { expect } from "bun:test";
import { type Footprint, footprintOf, HAS_PROC } from "./footprint.ts";
import type { Program } from "./programs.ts";
import { waitFor } from "./wait.ts";

const MiB = 1024 * 1024;

/** Descriptors that may stay open: idle connections, kept for the next call. */
const SPARE_DESCRIPTORS = 16;
/** Memory that the runtime may take while warming up or keep after a release, in bytes. */
const SPARE_MEMORY = 192 * MiB;

/** A program whose descriptors and memory were measured. */
export interface Watched {
  /** Expects about as many descriptors and as much memory as before. @returns both measurements as text */
  expectNoLeak(): Promise<string>;
}

/** Measures the descriptors and memory of a program, for a comparison after the test's attack. */
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
