import { expect, test } from "bun:test";
import { wrapHelp } from "../../../lib/cli/terminal/wrap.ts";

const words = (count: number) => Array.from({ length: count }, () => "word").join(" ");

test("what fits stays as it is", () => {
  const text = "Usage: x\n\nTwo\nlines\n\n  --flag\n      what it does\n";
  expect(wrapHelp(text)).toBe(text);
});

test("a paragraph with a line that is too wide is filled anew, and keeps its indentation", () => {
  const text = `first\n\n      ${words(20)}\n      ${words(2)}\n  --next\n      ${words(3)}`;
  expect(wrapHelp(text)).toBe(
    `first\n\n      ${words(14)}\n      ${words(8)}\n  --next\n      ${words(3)}`,
  );
});

test("what cannot be broken is left whole", () => {
  const long = "x".repeat(90);
  expect(wrapHelp(`  a ${long} b`)).toBe(`  a\n  ${long}\n  b`);
});
