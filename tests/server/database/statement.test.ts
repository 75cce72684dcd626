import { expect, test } from "bun:test";
import {
  assignments,
  fieldOf,
  insertion,
  list,
  sql,
  type Statement,
} from "../../../lib/server/database/statement.ts";

const shown = ({ texts, values }: Statement) => [texts.join("?"), values];

test.each([
  ["a text alone", sql`SELECT 1`, "SELECT 1", []],
  ["values", sql`a = ${1} AND b = ${"x"}`, "a = ? AND b = ?", [1, "x"]],
  ["nothing", sql`a ${sql``} b`, "a  b", []],
  ["a piece without a value", sql`a ${sql`b`} c ${2}`, "a b c ?", [2]],
  ["pieces with values", sql`${1} ${sql`x ${2} y ${3}`} z ${4}`, "? x ? y ? z ?", [1, 2, 3, 4]],
  ["a piece in a piece", sql`(${sql`[${sql`<${1}>`}]`})`, "([<?>])", [1]],
  ["a text that looks like a statement", sql`${"'; DROP TABLE x"}`, "?", ["'; DROP TABLE x"]],
  ["a list", sql`IN (${list(["a", "b", "c"])})`, "IN (?, ?, ?)", ["a", "b", "c"]],
  ["a list of one", list([sql`x = ${1}`]), "x = ?", [1]],
  ["an empty list", sql`IN (${list([])})`, "IN ()", []],
  ["a row", insertion({ clientId: "s", at: null }), "(client_id, at) VALUES (?, ?)", ["s", null]],
  ["rows", insertion({ a: 1 }, { a: 2 }), "(a) VALUES (?), (?)", [1, 2]],
  [
    "a row with a piece",
    insertion({ a: sql`MAX(${1})`, b: 2 }),
    "(a, b) VALUES (MAX(?), ?)",
    [1, 2],
  ],
  ["changes", assignments({ savedPath: "p", n: sql`n + 1` }), "saved_path = ?, n = n + 1", ["p"]],
])("%s", (_, statement, text, values) => {
  expect(shown(statement)).toEqual([text, values]);
});

test.each([
  ["client_id", "clientId"],
  ["at", "at"],
  ["bytes_on_wire", "bytesOnWire"],
])("the column %p is the field %p", (column, field) => {
  expect(fieldOf(column)).toBe(field);
});
