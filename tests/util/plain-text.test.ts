import { describe, expect, test } from "bun:test";
import {
  cutToFit,
  fits,
  plainJson,
  plainLines,
  plainName,
  plainText,
} from "../../lib/util/plain-text.ts";

/** Characters of foreign texts that must never reach a terminal. */
const UNFIT = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

const HOSTILE = [
  ["a sequence that clears the screen", "\x1b[2J"],
  ["the same in one character", "\x9b2J"],
  ["a bell, a backspace, a delete", "\x07\x08\x7f"],
  ["marks that turn the direction", "\u202e\u2066\u200f\u061c"],
  ["what has no width", "\u200b\u2060\ufeff\u00ad\u3164\u{e0041}"],
  ["ends of lines", "\r\n\u0085\u2028\u2029"],
] as const;

test.each([
  ["plain", "plain"],
  ["\x1b[31mred\x1b[0m", "red"],
  ["\x1b]0;title\x07x", "x"],
  ["a\r\nb\tc\x00d\x7f", "abcd"],
  ["\x9b31mx", "x"],
  ["a\u202eb\u2066c\u200bd\u2028e", "abcde"],
  ["a\x1b", "a"],
  ["a\ud800b", "a\ufffdb"],
  ["日本 é 👍", "日本 é 👍"],
])("%j is shown as %j", (text, shown) => {
  expect(plainText(text)).toBe(shown);
});

test("lines stay lines, and are plain", () => {
  expect(plainLines("a\x1b[2J\n\tb\u202e\r\n\rc")).toBe("a\n  b\nc");
});

describe.each(HOSTILE)("%s", (_, evil) => {
  const value = { [`key${evil}`]: [`a${evil}b`, `${evil}`], ok: true };

  test("is not in plain text", () => {
    expect(plainText(`a${evil}b`)).toBe("ab");
  });

  test.each([0, 2])("is escaped in JSON with an indent of %d, which means the same", (indent) => {
    const text = plainJson(value, indent);
    expect(text.replaceAll("\n", indent === 0 ? "\n" : "")).not.toMatch(UNFIT);
    expect(JSON.parse(text)).toEqual(value);
  });
});

test("JSON of what is fit for a terminal is as it always is", () => {
  const value = { path: "日本 é 👍", size: 1, none: null, list: [] };
  expect(plainJson(value)).toBe(JSON.stringify(value));
  expect(plainJson(value, 2)).toBe(JSON.stringify(value, null, 2));
});

test.each([
  ["short", "short"],
  ["x".repeat(18), "x".repeat(18)],
  ["x".repeat(19), `${"x".repeat(18)}… (19 characters)`],
  ["\u0001".repeat(4096), "\u0001\u0001\u0001… (4096 characters)"],
  ["€".repeat(100), "€€€€€€… (100 characters)"],
  ["x\u202e".repeat(100), "x\u202ex\u202ex… (200 characters)"],
])("%j is cut to 20 bytes of JSON", (text, cut) => {
  expect(cutToFit(text, 20)).toBe(cut);
  expect(fits(text, 20)).toBe(cut === text);
});

test.each(HOSTILE)("a name with %s is shown whole, and does nothing", (_, hostile) => {
  const shown = plainName(`a${hostile}b`);
  expect(shown).not.toMatch(UNFIT);
  expect(shown).not.toBe("ab");
  expect(JSON.parse(`"${shown}"`)).toBe(`a${hostile}b`);
});
