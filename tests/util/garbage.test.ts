import { expect, test } from "bun:test";
import { Garbage } from "../../lib/util/garbage.ts";

test("is collected each time that so many objects were made, and not before", () => {
  let collections = 0;
  const garbage = new Garbage(() => collections++);
  for (let made = 1_000; made < 40_000; made += 1_000) garbage.add(1_000);
  expect(collections).toBe(0);
  garbage.add(1_000);
  expect(collections).toBe(1);
  garbage.add(39_999);
  expect(collections).toBe(1);
  garbage.add(100_000);
  expect(collections).toBe(2);
});
