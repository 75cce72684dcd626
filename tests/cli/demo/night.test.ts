import { expect, test } from "bun:test";
import { boardLines } from "../../../lib/cli/demo/night.ts";
import { deliveryRecord } from "../../support/records.ts";

const PLAIN = { colour: false, live: false, columns: () => 80 };

test("sites by nights, the oldest night first, and who owes the last one", () => {
  const [first, second] = ["2026-11-30T02:30:00", "2026-11-30T02:30:05"] as const;
  const lines = boardLines(
    [
      deliveryRecord("b", second, "missing"),
      deliveryRecord("a", second, "late"),
      deliveryRecord("b", first, "received"),
      deliveryRecord("a", first, "partial"),
    ],
    PLAIN,
  );
  expect(lines).toEqual([
    "site  night 1     night 2",
    "a     partial     ◷ late",
    "b     ✓ received  ✗ missing",
    "",
    "1 missing of 2  b",
  ]);
  expect(boardLines([deliveryRecord("a", first, "received")], PLAIN).at(-1)).toBe("0 missing of 1");
});

test("a narrow terminal keeps the names of the sites, and drops old nights", () => {
  const days = ["28", "29", "30"].map((day) => `2026-11-${day}T02:30:00`);
  const deliveries = days.map((day) => deliveryRecord("restaurant-001", day, "received"));
  const narrow = { colour: false, live: true, columns: () => 28 };
  expect(boardLines(deliveries, narrow).slice(0, 2)).toEqual([
    expect.stringMatching(/^site +night 3$/),
    expect.stringMatching(/^restaurant-001 +✓ received$/),
  ]);
});
