/*
 * Decides whether the resources of a process grow. A process takes what it needs at first and then stays the
 * same, but a leaking one takes more and more. So the first quarter of the values is ignored, and the median
 * of the last quarter is compared with that of the second quarter.
 */

const MiB = 1024 * 1024;

/** Limit for the last quarter's median: the second quarter's median × `factor` + `plus`. */
export interface Allowance {
  factor: number;
  plus: number;
}

/** Limit for memory, in bytes. Memory varies because it is freed by garbage collection. */
export const MEMORY: Allowance = { factor: 1.15, plus: 24 * MiB };
/** Limit for open descriptors. Each transfer under way has some. */
export const DESCRIPTORS: Allowance = { factor: 1, plus: 24 };

/** Minimum number of values needed to decide whether they grow. */
const FEWEST = 8;

export interface Growth {
  /** Median of the second quarter; null: too few values. */
  early: number | null;
  /** Median of the last quarter; null: too few values. */
  late: number | null;
  grows: boolean;
}

/**
 * Decides whether values grow by more than is allowed.
 * @param values values measured at regular intervals
 */
export function growthOf(values: number[], { factor, plus }: Allowance): Growth {
  if (values.length < FEWEST) return { early: null, late: null, grows: false };
  const quarter = Math.floor(values.length / 4);
  const early = median(values.slice(quarter, 2 * quarter));
  const late = median(values.slice(-quarter));
  return { early, late, grows: late > early * factor + plus };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
