import { expect, test } from "bun:test";
import { wrapCommand, wrapHelp } from "../../../lib/cli/terminal/wrap.ts";

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

test("a command that is too long goes on in the next line, where it can be copied from", () => {
  const short = "bun run fds pull restaurant-001";
  expect(wrapCommand(short)).toBe(`  ${short}`);
  const long = `${short} ${"x".repeat(43)} -o ./here`;
  expect(wrapCommand(long)).toBe(`  ${short} ${"x".repeat(43)} \\\n    -o ./here`);
  expect(wrapCommand(long).replace(" \\\n   ", "").trim()).toBe(long);
});
