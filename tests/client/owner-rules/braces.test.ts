import { expect, test } from "bun:test";
import { expandBraces } from "../../../lib/client/owner-rules/braces.ts";
import { Random } from "../../support/random.ts";

test.each([
  ["a", ["a"]],
  ["{a,b}.txt", ["a.txt", "b.txt"]],
  ["{a,b}{c,d}", ["ac", "ad", "bc", "bd"]],
  ["x{a,{b,c}y}z", ["xaz", "xbyz", "xcyz"]],
  ["x{,y}", ["x", "xy"]],
  ["{abc}", ["abc"]],
  ["{1..3}", ["{1..3}"]],
  ["{a,{1..3}}", ["a", "{1..3}"]],
  ["[{]a", ["[{]a"]],
  ["[]{]a", ["[]{]a"]],
  ["[!]{]", ["[!]{]"]],
  ["{[,]a,b}", ["[,]a", "b"]],
  ["\\{a", ["\\{a"]],
  ["{a\\,b,c}", ["a\\,b", "c"]],
])("%s stands for %j", (pattern, all) => {
  expect(expandBraces(pattern, 100)).toEqual(all);
});

test.each([
  ["{a", '"{" has no "}"'],
  ["{a,{b,c}", '"{" has no "}"'],
  ["a}", '"}" has no "{"'],
  ["[a", '"[" has no "]"'],
  ["[]", '"[" has no "]"'],
  ["a]", '"]" has no "["'],
])("%s lacks something", (pattern, reason) => {
  expect(() => expandBraces(pattern, 100)).toThrow(reason);
});

test("as many as wanted are made, and no more", () => {
  expect(expandBraces("{a,b}{c,d}", 4)).toHaveLength(4);
  expect(expandBraces("{a,b}{c,d}", 3)).toBeNull();
  expect(expandBraces("{a,b}".repeat(100), 1000)).toBeNull();
});

test("all of them together match what the pattern does", () => {
  const random = new Random(1);
  const part = (depth: number): string => {
    const parts = Array.from({ length: random.int(1, 3) }, () =>
      depth < 3 && random.float() < 0.3
        ? `{${part(depth + 1)},${part(depth + 1)}}`
        : random.pick(["a", "b", "?", "[ab]", "/"]),
    );
    return parts.join("");
  };
  for (let n = 0; n < 2000; n++) {
    const pattern = part(0);
    const all = expandBraces(pattern, 10_000)!.map((one) => new Bun.Glob(one));
    const path = Array.from({ length: random.int(1, 6) }, () => random.pick(["a", "b", "/"]));
    const matched = all.some((glob) => glob.match(path.join("")));
    expect([pattern, path, matched]).toEqual([
      pattern,
      path,
      new Bun.Glob(pattern).match(path.join("")),
    ]);
  }
});
