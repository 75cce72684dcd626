/**
 * Matches a version such as `1.10` or `v1.9.0-rc1`. A part after `-` or `+` does not count in comparisons.
 */
const VERSION = /^v?(\d{1,9}(?:\.\d{1,9}){0,3})(?:[-+].*)?$/;

/**
 * Reports whether a version is older than another one, as `1.9.0` is older than `1.10`.
 * @returns false also if one of the two texts is no version
 */
export function isOlder(version: string, other: string): boolean {
  const [numbers, otherNumbers] = [version, other].map(numbersOf);
  if (!numbers || !otherNumbers) return false;
  for (let at = 0; at < Math.max(numbers.length, otherNumbers.length); at++) {
    const difference = (numbers[at] ?? 0) - (otherNumbers[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function numbersOf(version: string): number[] | null {
  const [, numbers] = VERSION.exec(version) ?? [];
  return numbers === undefined ? null : numbers.split(".").map(Number);
}
