/*
 * Whether something grows. A process takes what it needs at first and then stays; one that leaks
 * takes more and more. So the first quarter of the time is left out, and the median of the last
 * quarter may not be much over that of the second one.
 */

const MiB = 1024 * 1024;

/** How much more the last quarter may hold than the second one. */
export interface Allowance {
  factor: number;
  plus: number;
}

/** What collectors of garbage leave lying about differs from minute to minute. */
export const MEMORY: Allowance = { factor: 1.15, plus: 24 * MiB };
/** Each transfer under way has a few. */
export const DESCRIPTORS: Allowance = { factor: 1, plus: 24 };

/** Fewer values than this say nothing of growth. */
const FEWEST = 8;

export interface Growth {
  /** The medians of the second and of the last quarter; null where there are too few values. */
  early: number | null;
  late: number | null;
  grows: boolean;
}

/** @param values measured one after the other, at even distances */
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
