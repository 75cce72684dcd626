const UNITS: Record<string, number> = { "": 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 };

/**
 * Parses a size: a number of bytes, or a number with KiB, MiB or GiB, such as `"1.5 GiB"`.
 * @returns bytes; null if the text is no size, or not a whole number of bytes
 */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,16}(?:\.\d{1,6})?) ?([kmg]ib)?$/i.exec(text.trim());
  const unit = UNITS[match?.[2]?.toLowerCase() ?? ""];
  if (!match?.[1] || unit === undefined) return null;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Formats a number of bytes for people: `"512 B"`, `"1.5 MiB"`, `"100.0 MiB"`. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  const names = ["KiB", "MiB", "GiB", "TiB"];
  let value = bytes / 1024;
  let index = 0;
  while (value >= 1023.95 && index < names.length - 1) {
    value /= 1024;
    index++;
  }
  return `${value.toFixed(1)} ${names[index]}`;
}
