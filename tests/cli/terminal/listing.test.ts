import { describe, expect, test } from "bun:test";
import {
  fieldLines,
  listingLines,
  listingTable,
  type ListingColumn,
} from "../../../lib/cli/terminal/listing.ts";
import { Random } from "../../support/random.ts";

interface Item {
  id: string;
  size: number | null;
  path: string;
}

const COLUMNS: ListingColumn<Item>[] = [
  { title: "id", importance: 3, shown: ({ id }) => id, raw: ({ id }) => id },
  {
    title: "size",
    importance: 2,
    right: true,
    shown: ({ size }) => (size === null ? "–" : `${size} B`),
    raw: ({ size }) => size,
  },
  { title: "path", importance: 1, minWidth: 8, shown: ({ path }) => path, raw: ({ path }) => path },
];
const ITEMS: Item[] = [
  { id: "first", size: 12, path: "logs/today/kitchen.log" },
  { id: "b", size: null, path: "a" },
];

describe("a table", () => {
  test("has everything where there is room", () => {
    expect(listingTable(COLUMNS, ITEMS, 80, false)).toEqual([
      "id     size  path",
      "first  12 B  logs/today/kitchen.log",
      "b         –  a",
    ]);
  });

  test("cuts long texts from the left, then drops columns", () => {
    const second = (width: number) => listingTable(COLUMNS, ITEMS, width, false)[1];
    expect(second(34)).toBe("first  12 B  …s/today/kitchen.log".replace("…s", "…gs"));
    expect(second(21)).toBe("first  12 B  …hen.log");
    expect(second(20)).toBe("first  12 B");
    expect(second(10)).toBe("first");
    expect(second(3)).toBe("fi…");
  });

  test("is never wider than it may be", () => {
    const random = new Random(7);
    for (let round = 0; round < 300; round++) {
      const items = Array.from({ length: random.int(1, 4) }, () => ({
        id: "x".repeat(random.int(0, 8)),
        size: random.int(0, 1e9),
        path: random.pick(["é/", "界", "ab"]).repeat(random.int(0, 29)),
      }));
      const width = random.int(2, 60);
      const widths = listingTable(COLUMNS, items, width, random.pick([true, false])).map((line) =>
        Bun.stringWidth(line),
      );
      expect(Math.max(...widths)).toBeLessThanOrEqual(width);
    }
  });
});

test("lines for a script have a tab between fields, and none within", () => {
  const hostile = { id: "a\tb\nc\x1b[31m", size: null, path: "p" };
  expect(listingLines(COLUMNS, [hostile])).toEqual(["abc\t\tp"]);
  expect(fieldLines({ a: 1, b: null, c: "x\ty" })).toEqual(["a\t1", "b\t", "c\txy"]);
  expect(fieldLines({ a: ["x", "\t"], b: { c: 1 } })).toEqual(['a\t["x","\\t"]', 'b\t{"c":1}']);
});
