import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { literalPattern } from "../../lib/api/set-words.ts";
import { PatternError } from "../../lib/protocol/braces.ts";
import { literalNameOf, PathPatterns } from "../../lib/protocol/patterns.ts";

const matches = (pattern: string, path: string) =>
  new PathPatterns([pattern]).match(path.split("/"));

describe("a pattern", () => {
  test.each([
    [
      "sales_*.csv",
      ["sales_.csv", "sales_1.csv"],
      ["sales_1.csvx", "x/sales_1.csv", "Sales_1.csv"],
    ],
    ["*.csv", ["a.csv"], [".csv", ".a.csv", "a/b.csv"]],
    ["a?c", ["abc", "aüc", "a😀c"], ["ac", "abbc", "a/c"]],
    ["[a-c]x", ["ax", "cx"], ["dx", "x", "[x"]],
    ["[!a-c]x", ["dx", "😀x"], ["ax"]],
    ["[^a]", ["b"], ["a"]],
    ["[]a]", ["]", "a"], ["b"]],
    ["[a-]", ["a", "-"], ["b"]],
    ["[\\]-a]", ["]", "^", "a"], ["b", "\\"]],
    ["{a,b}.log", ["a.log", "b.log"], ["c.log", "{a,b}.log"]],
    ["{a,b{c,d}}", ["a", "bc", "bd"], ["b", "c"]],
    ["x{,y}", ["x", "xy"], ["y"]],
    ["{one}", ["one"], ["{one}"]],
    ["{a/b,c}/*.x", ["a/b/1.x", "c/1.x"], ["a/1.x", "b/1.x"]],
    ["**/*.csv", ["a.csv", "x/a.csv", "x/y/a.csv"], ["x/y/a.txt", "x/.y/a.csv"]],
    ["a/**/b", ["a/b", "a/x/b", "a/x/y/b", "a/b/c"], ["a", "b", "a/.x/b"]],
    ["a/**", ["a/b", "a/b/c"], ["a", "a/.b", "b/a/c"]],
    ["**", ["a", "a/b"], [".a", "a/.b"]],
    ["**/**/a/**/**", ["a/b", "x/a/b/c"], ["a", "x/a", "b"]],
    ["a/", ["a/b", "a/b/c"], ["a", "ab"]],
    ["./a//b", ["a/b"], ["b"]],
    ["logs", ["logs", "logs/a", "logs/a/b"], ["logs/.a", "logs2", "x/logs"]],
    ["l*", ["logs", "logs/a"], ["x"]],
    [".config", [".config", ".config/a"], [".config/.b", "config"]],
    [".*", [".a", ".a/b"], ["a"]],
    ["!important", ["!important"], ["x"]],
    ["\\*", ["*"], ["a"]],
    ["a\\{b\\,c}".replace("}", "\\}"), ["a{b,c}"], ["ab"]],
    ["{a\\,b,c}", ["a,b", "c"], ["a"]],
    ["a,b", ["a,b"], ["a"]],
    ["a\\/b", ["a/b"], ["ab"]],
    ["*a*b*", ["ab", "xaybz", "aab"], ["ba"]],
    ["?*", ["a", "abc"], [".a"]],
  ])("%s", (pattern, yes, no) => {
    expect(yes.filter((path) => !matches(pattern, path))).toEqual([]);
    expect(no.filter((path) => matches(pattern, path))).toEqual([]);
  });

  test.each([
    ["{a", 'a "{" without its "}"'],
    ["a}", 'a "}" without its "{"'],
    ["{a,{b}", 'a "{" without its "}"'],
    ["[a", 'a "[" without its "]"'],
    ["[", 'a "[" without its "]"'],
    ["[]", 'a "[" without its "]"'],
    ["[a-", 'a "[" without its "]"'],
    ["a\\", 'a lone "\\"'],
    ["", "names nothing"],
    ["/", "names nothing"],
    ["../a", "leads out of its folder"],
    ["a/../../b", "leads out of its folder"],
    ["{a,..}/b", "leads out of its folder"],
    ["{0,1,2,3,4,5,6,7,8,9}".repeat(4), "stand for more than 1000 patterns"],
    ["{a,b}".repeat(200), "stand for more than 1000 patterns"],
    [`{${"a,".repeat(1000)}}`, "stand for more than 1000 patterns"],
  ])("%s is refused in words", (pattern, reason) => {
    expect(() => new PathPatterns([pattern])).toThrow(PatternError);
    expect(() => new PathPatterns([pattern])).toThrow(reason);
  });

  test("stands for no more than it may, together with the others", () => {
    const hundred = `{${Array.from({ length: 100 }, (_, n) => n).join(",")}}`;
    expect(() => new PathPatterns(Array(10).fill(hundred))).not.toThrow();
    expect(() => new PathPatterns(Array(11).fill(hundred))).toThrow(PatternError);
  });
});

test.each([
  ["logs", "logs"],
  ["logs/2026/", "2026"],
  ["logs/*.csv", "logs"],
  ["logs/**/day-?.log", "logs"],
  ["*/exports/[a-z]*", "exports"],
  ["/srv/data/*", "data"],
  ["odd \\[a]/", "odd [a]"],
  ["*.csv", null],
  ["logs/{a,b}.txt", "logs"],
  ["{a,b}/*.csv", null],
  ["{a,b}/x", "x"],
  ["{a/b,c}d/*", null],
  ["x/{a,{b,c}}", "x"],
  ["x/\\{a,b\\}/*", "{a,b}"],
  ["{one}/*", null],
])("the last literal part of %s is %p", (pattern, name) => {
  expect(literalNameOf(pattern)).toBe(name);
});

describe("an absolute pattern", () => {
  test.each([
    ["/srv/data/*.csv", "srv/data", "a.csv", true],
    ["/srv/data/*.csv", "srv/other", "a.csv", false],
    ["/srv/*/a.csv", "srv/data", "a.csv", true],
    ["/srv/**/a.csv", "srv/data", "x/a.csv", true],
    ["/srv/data", "srv/data", "a.csv", true],
    ["/srv/data/", "srv/data", "a.csv", true],
    // A pattern that names a folder above a root matches nothing in the root.
    ["/srv", "srv/data", "a.csv", false],
    ["/", "srv/data", "a.csv", false],
    ["C:/data/*", "C:/data", "a.csv", true],
    ["srv/data/a.csv", "srv/data", "a.csv", false],
  ])("%s in the root %s: %s %p", (pattern, root, path, expected) => {
    const read = () => new PathPatterns([pattern]).match(path.split("/"), root.split("/"));
    if (pattern === "/") expect(read).toThrow(PatternError);
    else expect(read()).toBe(expected);
  });
});

describe("a walk", () => {
  test.each([
    ["a/*.csv", ["a"], true],
    ["a/*.csv", ["b"], false],
    ["a/*.csv", ["a", "b"], false],
    ["a/**/c", ["a", "x", "y"], true],
    ["a", ["a", "x"], true],
    ["*.csv", [], true],
  ])("of %s goes into %j: %p", (pattern, path, expected) => {
    const walk = path.reduce((at, name) => at.step(name), new PathPatterns([pattern]).startIn([]));
    expect(walk.mayMatchInside).toBe(expected);
  });

  test("takes no time that explodes with the pattern", () => {
    const name = "a".repeat(255);
    const patterns = ["*a".repeat(500) + "b", "**/".repeat(300) + "b", "?*".repeat(500) + "b"];
    for (const pattern of patterns) {
      expect(matches(pattern, Array(100).fill(name).join("/"))).toBe(false);
    }
  });
});

test("a walk tells which of the patterns match", () => {
  const patterns = ["logs/", "**/*.csv", "{logs,x}/a.csv", "no/such", "/srv/data/x"];
  const start = new PathPatterns(patterns).startIn(["srv", "data"]);
  const matchedBy = (path: string) =>
    path
      .split("/")
      .reduce((walk, name) => walk.step(name), start)
      .matchedBy.toSorted();
  expect(matchedBy("logs")).toEqual([]);
  expect(matchedBy("logs/a.csv")).toEqual([0, 1, 2]);
  expect(matchedBy("logs/deep/b.csv")).toEqual([0, 1]);
  expect(matchedBy("logs/.hidden.csv")).toEqual([]);
  expect(matchedBy("x")).toEqual([4]);
  expect(matchedBy("x/a.csv")).toEqual([1, 2, 4]);
  expect(matchedBy("x/a.txt/b")).toEqual([4]);
  expect(matchedBy("other")).toEqual([]);
});

describe("any pattern", () => {
  const name = fc.string({ unit: fc.constantFrom("a", "b", "."), minLength: 1, maxLength: 4 });
  const path = fc.array(name, { minLength: 1, maxLength: 4 });
  const part = fc.string({
    unit: fc.constantFrom("a", "b", ".", "*", "?"),
    minLength: 1,
    maxLength: 4,
  });
  const usable = part.filter((text) => !["..", ".", "**"].includes(text) && !text.includes("**"));
  const parts = fc.array(fc.oneof(usable, fc.constant("**")), { minLength: 1, maxLength: 4 });

  /** A slow and simple implementation of the same rules, for comparison. */
  function matchesSlowly(pattern: string[], names: string[]): boolean {
    if (pattern.length === 0) return names.every((each) => !each.startsWith("."));
    const [first = "", ...others] = pattern;
    const [head, ...tail] = names;
    if (first === "**") {
      const isVisible = head !== undefined && !head.startsWith(".");
      if (others.length === 0) return names.length > 0 && matchesSlowly([], names);
      return matchesSlowly(others, names) || (isVisible && matchesSlowly(pattern, tail));
    }
    if (head === undefined || (head.startsWith(".") && !first.startsWith("."))) return false;
    const expression = first.replaceAll(".", "\\.").replaceAll("*", ".*").replaceAll("?", ".");
    return new RegExp(`^${expression}$`).test(head) && matchesSlowly(others, tail);
  }

  test("matches what a slow and simple matcher says", () => {
    fc.assert(
      fc.property(parts, path, (pattern, names) => {
        expect(matches(pattern.join("/"), names.join("/"))).toBe(matchesSlowly(pattern, names));
      }),
      { numRuns: 5_000 },
    );
  });

  test("made of a path names this path, and no other", () => {
    const any = fc.string({
      unit: fc.constantFrom(..."ab{},[]!-\\*?^ "),
      minLength: 1,
      maxLength: 6,
    });
    const anyPath = fc.array(any, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(anyPath, anyPath, (one, other) => {
        const pattern = new PathPatterns([literalPattern(one.join("/"))]);
        expect(pattern.match(one)).toBe(true);
        const isInside = one.every((each, n) => each === other[n]);
        expect(pattern.match(other)).toBe(isInside);
      }),
      { numRuns: 3_000 },
    );
  });

  test("is read, or refused with a pattern error", () => {
    const text = fc.string({ unit: fc.constantFrom(..."ab{},[]!-\\/*?."), maxLength: 12 });
    fc.assert(
      fc.property(text, path, (pattern, names) => {
        try {
          matches(pattern, names.join("/"));
        } catch (error) {
          expect(error).toBeInstanceOf(PatternError);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
