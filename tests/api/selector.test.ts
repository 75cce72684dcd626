import { describe, expect, test } from "bun:test";
import { matches, parseSelector, type Requirement } from "../../lib/api/selector.ts";
import { SelectorText } from "../../lib/api/selector-text.ts";

const labels = { region: "west", tier: "test", size: "m", in: "x" };

describe("a selector", () => {
  test.each<[string, Requirement[]]>([
    ["region=west", [{ key: "region", is: "in", values: ["west"] }]],
    ["region==west", [{ key: "region", is: "in", values: ["west"] }]],
    ["tier!=test", [{ key: "tier", is: "not_in", values: ["test"] }]],
    ["size in (s,m)", [{ key: "size", is: "in", values: ["s", "m"] }]],
    [" size  notin( s , m ) ", [{ key: "size", is: "not_in", values: ["s", "m"] }]],
    ["a.b/c", [{ key: "a.b/c", is: "present" }]],
    ["! closed", [{ key: "closed", is: "absent" }]],
    ["in in (in)", [{ key: "in", is: "in", values: ["in"] }]],
    [
      "notin,!in",
      [
        { key: "notin", is: "present" },
        { key: "in", is: "absent" },
      ],
    ],
  ])("is read: %s", (text, expected) => {
    expect(parseSelector(text)).toEqual(expected);
  });

  test.each<[string, string]>([
    ["", "is wrong at character 1: expected a key, found the end"],
    ["  ", "is wrong at character 3: expected a key, found the end"],
    ["a=", "is wrong at character 3: expected a value, found the end"],
    ["a=b,", "is wrong at character 5: expected a key, found the end"],
    ["a=b c", 'is wrong at character 5: expected "," or the end, found "c"'],
    [
      "a~b",
      'is wrong at character 2: expected "=", "!=", "in", "notin", "," or the end, found "~"',
    ],
    ["size in s", 'is wrong at character 9: expected "(", found "s"'],
    ["size in (s", 'is wrong at character 11: expected "," or ")", found the end'],
    ["size in ()", 'is wrong at character 10: expected a value, found ")"'],
    ["a=ü", 'is wrong at character 3: expected a value, found "ü"'],
    [
      "a,.b",
      'is wrong at character 3: expected a key of at most 63 characters that begins with a letter or digit, found ".b"',
    ],
    ["a".repeat(5_000), "must be at most 4096 characters"],
    [Array(65).fill("a").join(), "must have at most 64 requirements"],
  ])("that is wrong is refused, with the place: %s", (text, message) => {
    expect(() => parseSelector(text)).toThrow(message);
    expect(SelectorText.safeParse(text).error?.issues[0]?.message).toBe(message);
  });

  test.each<[string, boolean]>([
    ["region=west", true],
    ["region=east", false],
    ["tier!=test", false],
    ["shape!=round", true],
    ["shape notin (round)", true],
    ["size in (s,m)", true],
    ["size notin (s,m)", false],
    ["region", true],
    ["!region", false],
    ["!shape", true],
    ["region=west,tier!=test", false],
    ["region=west,size=m,!shape", true],
    ["toString", false],
    ["constructor=x", false],
  ])("%s: %p", (text, expected) => {
    expect(matches(parseSelector(text), labels)).toBe(expected);
  });
});
