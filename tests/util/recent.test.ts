import { expect, test } from "bun:test";
import { Recent } from "../../lib/util/recent.ts";

test("the latest are remembered, and what is added again is one of them", () => {
  const recent = new Recent(2);
  expect(["a", "b", "a", "c"].map((text) => recent.add(text))).toEqual([true, true, false, true]);
  expect(["a", "b", "c"].map((text) => recent.has(text))).toEqual([true, false, true]);
});
