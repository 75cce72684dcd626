import { expect, test } from "bun:test";
import { renderTable } from "../../../lib/cli/terminal/table.ts";

const columns = [{ title: "name" }, { title: "size", right: true }, { title: "verdict" }];

test("columns are as wide as they need to be", () => {
  const rows = [
    ["a", "1", "right"],
    ["a longer name", "12345", ""],
  ];
  expect(renderTable(columns, rows, false)).toEqual([
    "name            size  verdict",
    "a                  1  right",
    "a longer name  12345",
  ]);
});

test("neither wide characters nor colours put a table out of line", () => {
  const rows = [
    ["レストラン", "\x1b[31m1\x1b[39m", "x"],
    ["a", "22", "y"],
  ];
  const lines = renderTable(columns, rows, true).map((line) => Bun.stripANSI(line));
  expect(lines).toEqual([
    "name        size  verdict",
    "レストラン     1  x",
    "a             22  y",
  ]);
});

test("titles stay where there are no rows", () => {
  expect(renderTable(columns, [], false)).toEqual(["name  size  verdict"]);
});
