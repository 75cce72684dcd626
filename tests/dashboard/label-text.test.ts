import { expect, test } from "bun:test";
import {
  changesBetween,
  LabelTextError,
  labelWords,
  readLabels,
} from "../../lib/dashboard/labels/label-text.ts";

test("labels are read as they are shown", () => {
  const labels = { tier: "gold", region: "west", "a/b.c": "1_2-3" };
  expect(labelWords(labels)).toEqual(["a/b.c=1_2-3", "region=west", "tier=gold"]);
  expect(readLabels(labelWords(labels).join(" "))).toEqual(labels);
  expect(readLabels("  a=1,b=2 ,\n c=3")).toEqual({ a: "1", b: "2", c: "3" });
  expect(readLabels(" ")).toEqual({});
});

test.each<[text: string, why: RegExp]>([
  ["west", /^"west" is no label/],
  ["a=", /^"a=" is no label/],
  ["=b", /^"=b" is no label/],
  ["a=b=c", /^"a=b=c" is no label/],
  ["-a=b", /^"-a=b" is no label/],
  [`a=${"x".repeat(64)}`, /is no label/],
  ["a=1 a=2", /^"a" is there twice$/],
  [Array.from({ length: 33 }, (_, n) => `k${n}=v`).join(" "), /^A site has at most 32 labels$/],
])("%p is refused", (text, why) => {
  expect(() => readLabels(text)).toThrow(LabelTextError);
  expect(() => readLabels(text)).toThrow(why);
});

test("only what differs is changed", () => {
  const before = { region: "west", tier: "gold" };
  expect(changesBetween(before, { tier: "gold", region: "west" })).toBeNull();
  expect(changesBetween(before, { region: "east", size: "s" })).toEqual({
    region: "east",
    size: "s",
    tier: null,
  });
  expect(changesBetween(before, {})).toEqual({ region: null, tier: null });
  // A key that every JavaScript object has as a property.
  expect(changesBetween({}, { constructor: "a" })).toEqual({ constructor: "a" });
});
