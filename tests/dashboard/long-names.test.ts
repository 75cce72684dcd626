import { describe, expect, test } from "bun:test";
import { pathParts } from "../../lib/dashboard/long-names.ts";

describe("of a long path, the end of the name is kept apart", () => {
  test.each([
    ["a.txt", ["", "", "a.txt"]],
    ["logs/today/till.log", ["logs/today/", "", "till.log"]],
    ["logs/", ["logs/", "", ""]],
    [`${"x".repeat(100)}.csv`, ["", "x".repeat(80), `${"x".repeat(20)}.csv`]],
    // A character of several code points is never split.
    [`${"x".repeat(10)}${"👩‍🍳".repeat(24)}`, ["", "x".repeat(10), "👩‍🍳".repeat(24)]],
    // A right-to-left name ends at its left side, so no end is kept visible when the name is shortened.
    [`a/${"ש".repeat(30)}.txt`, ["a/", `${"ש".repeat(30)}.txt`, ""]],
    ["a/קובץ.txt", ["a/", "", "קובץ.txt"]],
  ])("%p", (path, [folder = "", base = "", tail = ""]) => {
    expect(pathParts(path)).toEqual({ folder, base, tail });
  });
});
