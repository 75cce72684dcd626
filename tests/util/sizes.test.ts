import { describe, expect, test } from "bun:test";
import { formatSize, parseSize } from "../../lib/util/sizes.ts";

const KIB = 1024;
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

describe("a size is read", () => {
  test.each<[string, number]>([
    ["0", 0],
    ["1", 1],
    ["4096", 4096],
    ["4KiB", 4 * KIB],
    ["1MiB", MIB],
    ["1 MiB", MIB],
    ["1.5 GiB", 1.5 * GIB],
    ["0.5KiB", 512],
    ["100mib", 100 * MIB],
    ["  8MIB ", 8 * MIB],
    ["8388607GiB", 8388607 * GIB],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ])("%p is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    "",
    " ",
    "MiB",
    "-1",
    "+1",
    "1MB",
    "1M",
    "1 TiB",
    "1  MiB",
    "1e3",
    "0x10",
    ".5MiB",
    "1.MiB",
    "1,5MiB",
    "1.5",
    "0.3KiB",
    "Infinity",
    "NaN",
    "١MiB",
    "1MiB\n2",
    "9007199254740992",
    "8388608GiB",
    "99999999999999999",
  ])("%p is none", (text) => {
    expect(parseSize(text)).toBeNull();
  });
});

describe("a size is shown", () => {
  test.each<[number, string]>([
    [0, "0 B"],
    [512, "512 B"],
    [1023, "1023 B"],
    [0.4, "0 B"],
    [KIB, "1.0 KiB"],
    [1536, "1.5 KiB"],
    [1023.9 * KIB, "1023.9 KiB"],
    [MIB - 1, "1.0 MiB"],
    [MIB, "1.0 MiB"],
    [100 * MIB, "100.0 MiB"],
    [GIB - 1, "1.0 GiB"],
    [2.25 * 1024 ** 4, "2.3 TiB"],
    [5000 * 1024 ** 4, "5000.0 TiB"],
  ])("%d bytes are %p", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  test("never shows 1024 of a unit that has a larger one", () => {
    for (let bytes = 1; bytes < 2 ** 45; bytes = Math.ceil(bytes * 1.03)) {
      expect(formatSize(bytes)).not.toMatch(/^1024(\.0)? (?!TiB)/);
    }
  });
});
