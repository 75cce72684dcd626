import { expect, test } from "bun:test";
import type { ClientFile } from "../../../lib/api/files.ts";
import { FILE_COLUMNS } from "../../../lib/cli/terminal/file-listing.ts";
import { listingLines, listingTable } from "../../../lib/cli/terminal/listing.ts";

/* How `fds ls` shows a client's folders. */

const MODIFIED_AT = "2026-01-02T03:04:05.000Z";

function root(path: string): ClientFile {
  return { name: path, path, type: "folder", size: null, modified_at: MODIFIED_AT };
}

function file(name: string): ClientFile {
  return { name, path: `logs/${name}`, type: "file", size: 12, modified_at: MODIFIED_AT };
}

test("a root's path keeps its beginning and its end at 80 columns", () => {
  const path = `/srv/${"restaurants/".repeat(8)}exports`;
  const [titles, line = ""] = listingTable(FILE_COLUMNS, [root(path)], 80, false);
  expect(titles).toStartWith("name");
  expect(line).toMatch(/^\/srv\/restaurants\/\S+…\S+\/exports\/ /);
  expect(line.length).toBeLessThanOrEqual(80);
});

test("a root that has room is shown whole, and once", () => {
  const [, line = ""] = listingTable(FILE_COLUMNS, [root("/srv/restaurants/exports")], 80, false);
  expect(line).toMatch(/^\/srv\/restaurants\/exports\/ +\d+ \w+( ago)?$/);
});

test("what a terminal would obey, or not show, is escaped in a name", () => {
  const entries = [file("a\nb\t\u001b[31mc\u202e"), file("ab")];
  const table = listingTable(FILE_COLUMNS, entries, 120, false);
  const name = String.raw`a\nb\t\u001b[31mc\u202e`;
  expect(table[1]).toStartWith(`${name}  `);
  expect(table[2]).toMatch(/^ab +12 B/);
  const [line] = listingLines(FILE_COLUMNS, entries);
  expect(line).toBe(`file\t12\t${MODIFIED_AT}\tlogs/${name}`);
});
