import { describe, expect, test } from "bun:test";
import { Random } from "../support/random.ts";
import { DESCRIPTORS, growthOf, MEMORY } from "./growth.ts";

const MiB = 1024 * 1024;
const COUNT = 200;

function valuesOf(of: (n: number) => number): number[] {
  return Array.from({ length: COUNT }, (_, n) => of(n));
}

describe("memory grows", () => {
  const random = new Random(3);
  const noise = () => random.int(-20, 20) * MiB;

  test("when each minute leaves a little behind", () => {
    const leak = valuesOf((n) => 100 * MiB + n * MiB + noise());
    expect(growthOf(leak, MEMORY)).toMatchObject({ grows: true });
  });

  test("not when it is taken at first and kept", () => {
    const warm = valuesOf((n) => Math.min(250, 60 + n * 5) * MiB + noise());
    expect(growthOf(warm, MEMORY)).toMatchObject({ grows: false });
  });

  test("not when it was high for a moment", () => {
    const peak = valuesOf((n) => (n > 180 && n < 190 ? 900 : 100) * MiB + noise());
    expect(growthOf(peak, MEMORY)).toMatchObject({ grows: false });
  });
});

test("descriptors grow when one in a while is not closed", () => {
  expect(
    growthOf(
      valuesOf((n) => 40 + n / 4),
      DESCRIPTORS,
    ).grows,
  ).toBe(true);
  expect(
    growthOf(
      valuesOf((n) => 40 + (n % 20)),
      DESCRIPTORS,
    ).grows,
  ).toBe(false);
});

test("a few values say nothing", () => {
  expect(growthOf([1, 2, 4, 8, 16, 32, 64], DESCRIPTORS)).toEqual({
    early: null,
    late: null,
    grows: false,
  });
});
