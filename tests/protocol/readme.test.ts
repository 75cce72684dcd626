import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { codeOfClose, ERROR_CODES, meaningOf } from "../../lib/protocol/errors.ts";
import { ClientMessage, ServerMessage } from "../../lib/protocol/messages.ts";
import { codeSpans, section, tableRows } from "../support/markdown.ts";

/* lib/protocol/README.md lists the same messages, fields and error codes as the code. */

const README = readFileSync(join(import.meta.dir, "../../lib/protocol/README.md"), "utf8");
const [, FROM_CLIENT = "", FROM_SERVER = ""] = section(README, "The messages").split(
  /^(?=\| from )/m,
);

/** Returns the field names of each message by its type, with "?" after optional ones. */
function fieldsOf(union: z.ZodDiscriminatedUnion): Record<string, string[]> {
  return Object.fromEntries(
    union.options.map((option) => {
      const { shape } = option as z.ZodObject;
      const { type, ...fields } = shape;
      const names = Object.entries(fields).map(([name, field]) =>
        field instanceof z.ZodOptional ? `${name}?` : name,
      );
      return [(type as z.ZodLiteral).value as string, names.toSorted()];
    }),
  );
}

function fieldsInTable(table: string): Record<string, string[]> {
  return Object.fromEntries(
    tableRows(table).map(([type = "", fields = ""]) => {
      // Text in parentheses describes parts and values of a field, not other fields.
      const names = codeSpans(fields.replaceAll(/\([^)]*\)/g, ""));
      return [type.replaceAll("`", ""), names.toSorted()];
    }),
  );
}

test.each([
  ["client", ClientMessage, FROM_CLIENT],
  ["server", ServerMessage, FROM_SERVER],
])("every message of the %s is there with its fields", (_, union, table) => {
  expect(fieldsInTable(table)).toEqual(fieldsOf(union));
});

test("every close code is there with its code", () => {
  const inTable = tableRows(section(README, "Close codes")).map(([close, code]) => [
    Number(close),
    code?.replaceAll("`", ""),
  ]);
  const closes = ERROR_CODES.flatMap((code) => meaningOf(code).close ?? []);
  expect(inTable).toEqual(
    closes.toSorted((a, b) => a - b).map((close) => [close, codeOfClose(close)]),
  );
});
