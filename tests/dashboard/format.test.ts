import { describe, expect, test } from "bun:test";
import {
  formatWhen,
  formatCount,
  formatRate,
  formatSpan,
  visible,
} from "../../lib/dashboard/format.ts";

const NOW = Date.parse("2026-11-23T12:00:00Z");

test.each([
  [0, "just now"],
  [-3, "just now"],
  [4, "just now"],
  [5, "5 sec. ago"],
  [59, "59 sec. ago"],
  [60, "1 min. ago"],
  [3599, "59 min. ago"],
  [3600, "1 hr. ago"],
  [86_399, "23 hr. ago"],
  [86_400, "Nov 22, 12:00"],
  [86_400 * 30, "Oct 24, 12:00"],
  [86_400 * 365, "Nov 23, 2025"],
])("%d s ago is %p", (seconds, expected) => {
  expect(formatWhen(new Date(NOW - seconds * 1000).toISOString(), NOW)).toBe(expected);
});

test.each([
  [0, "0 s"],
  [0.004, "0.1 s"],
  [0.44, "0.4 s"],
  [9.94, "9.9 s"],
  [9.96, "10 s"],
  [42, "42 s"],
  [59.2, "1 min 0 s"],
  [185, "3 min 5 s"],
  [7800, "2 h 10 min"],
])("a span of %d s is %p", (seconds, expected) => {
  expect(formatSpan(seconds)).toBe(expected);
});

test("a rate is a size a second", () => {
  expect(formatRate(11.2 * 1024 ** 2)).toBe("11.2 MiB/s");
});

test("a large number is read at a glance", () => {
  expect([0, 999, 1060, 1_234_567].map(formatCount)).toEqual(["0", "999", "1,060", "1,234,567"]);
});

describe("a text from a site", () => {
  test.each([
    ["logs/today.log", "logs/today.log"],
    ["<b>&amp;\"'", "<b>&amp;\"'"],
    ["Grüße 日本 שלום 👩‍🍳", "Grüße 日本 שלום 👩‍🍳"],
    ["photo_\u202Egpj.exe", "photo_[U+202E]gpj.exe"],
    ["a\u200Fb\u2066c\u2069", "a[U+200F]b[U+2066]c[U+2069]"],
    ["two\nlines\u2028three\t\0", "two[U+000A]lines[U+2028]three[U+0009][U+0000]"],
    ["half \uD800", "half \uFFFD"],
    ["pass\u200Bword\u00AD\u2060\uFEFF\u3164", "pass[U+200B]word[U+00AD][U+2060][U+FEFF][U+3164]"],
    ["می\u200Cخواهم ❤\uFE0F 🏴\u{E0067}\u{E007F}", "می\u200Cخواهم ❤\uFE0F 🏴\u{E0067}\u{E007F}"],
  ])("%j is shown as %j", (text, shown) => {
    expect(visible(text)).toBe(shown);
  });
});
