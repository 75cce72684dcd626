import { describe, expect, test } from "bun:test";
import { cutMiddle, padColumns, paint, terminalOf } from "../../../lib/cli/terminal/terminal.ts";

const stream = (isTTY: boolean, columns = 120) => ({
  isTTY,
  columns,
  rows: 40,
  write: () => undefined,
});

describe("what a stream can do", () => {
  test.each<[string, boolean, Record<string, string>, { live: boolean; colour: boolean }]>([
    ["a terminal", true, {}, { live: true, colour: true }],
    ["a pipe", false, {}, { live: false, colour: false }],
    ["a dumb terminal", true, { TERM: "dumb" }, { live: false, colour: false }],
    ["NO_COLOR", true, { NO_COLOR: "1" }, { live: true, colour: false }],
    ["an empty NO_COLOR, which says nothing", true, { NO_COLOR: "" }, { live: true, colour: true }],
  ])("%s", (_, isTTY, env, expected) => {
    expect(terminalOf(stream(isTTY), env)).toMatchObject(expected);
  });

  test("its size, or a usual one where it does not tell", () => {
    expect(terminalOf(stream(true), {}).columns()).toBe(120);
    expect(terminalOf(stream(true, 0), {}).columns()).toBe(80);
  });
});

test("padding counts columns", () => {
  expect(padColumns("日本", 6)).toBe("日本  ");
  expect(padColumns("\x1b[31mab\x1b[39m", 3)).toBe("\x1b[31mab\x1b[39m ");
  expect(padColumns("longer", 3)).toBe("longer");
});

test("nothing is painted without colours", () => {
  expect(paint("x", "red", false)).toBe("x");
  expect(paint("x", "red", true)).toBe("\x1b[31mx\x1b[39m");
  expect(paint("", "red", true)).toBe("");
});

test.each([
  ["/srv/exports", 20, "/srv/exports"],
  ["/srv/restaurants/exports", 11, "/srv/…ports"],
  ["/srv/restaurants/exports", 12, "/srv/…xports"],
  ["日本語のなまえ", 7, "日本…え"],
  ["日本語のなまえ", 8, "日本…え"],
])("%j in %i columns keeps both ends: %j", (text, columns, cut) => {
  expect(cutMiddle(text, columns)).toBe(cut);
  expect(Bun.stringWidth(cut)).toBeLessThanOrEqual(columns);
});
