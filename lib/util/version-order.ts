/** A version: numbers, and perhaps words after a `-` or `+`, which do not count for the order. */
const VERSION = /^v?(\d{1,9}(?:\.\d{1,9}){0,3})(?:[-+].*)?$/;

/**
 * Whether a version came before another one: `1.9.0` before `1.10`.
 * @returns false also where one of them is not a version
 */
export function isOlder(version: string, than: string): boolean {
  const [ours, theirs] = [version, than].map(numbersOf);
  if (!ours || !theirs) return false;
  for (let at = 0; at < Math.max(ours.length, theirs.length); at++) {
    const difference = (ours[at] ?? 0) - (theirs[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function numbersOf(version: string): number[] | null {
  const [, numbers] = VERSION.exec(version) ?? [];
  return numbers === undefined ? null : numbers.split(".").map(Number);
}
