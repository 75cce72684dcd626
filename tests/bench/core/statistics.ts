/** The median and the extremes of some values. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/**
 * Returns a quantile of the values, interpolated between the two nearest values.
 * @param share 0.5 for the median, 0.99 for p99
 * @throws RangeError if there are no values
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (below === undefined || above === undefined) throw new RangeError("there are no values");
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * Returns the median and the extremes of some values.
 * @throws RangeError if there are no values
 */
export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), min: quantile(values, 0), max: quantile(values, 1) };
}
