import { describe, expect, test } from "bun:test";
import * as z from "zod";
import { endpoints } from "../../../lib/api/endpoints.ts";
import type { Endpoint } from "../../../lib/api/endpoints/endpoint.ts";
import { VALIDATION_MESSAGES, refuseInvalid } from "../../../lib/server/http/validation.ts";

/* The error messages for requests that are not valid. */

/** Returns the message with which a value is refused; null if the value is valid. */
async function refusal(schema: z.ZodType, value: unknown): Promise<string | null> {
  try {
    refuseInvalid(await VALIDATION_MESSAGES.validationFunction(schema, value));
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

const WRONG = [
  ...[null, 7, -1, 1.5, 1e18, "", " ", "\0", "x".repeat(5_000), true, [], {}, { a: 1 }],
  ...[["", 7], [null], [[]], Array(2_000).fill("a")],
];

/** Matches the beginnings of zod's own messages, which callers must never see. */
const ZODS = /Invalid|Too (?:small|big)|Unrecognized|expected (?:string|array|number|object)/;

const schemas = Object.entries<Endpoint>(endpoints).flatMap(([name, { query, body }]) => [
  ...(query ? [[`the query of ${name}`, query] as const] : []),
  ...(body ? [[`the body of ${name}`, body] as const] : []),
]);

test.each(schemas)("%s is refused in words of our own", async (_, schema) => {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  const requests = [
    ...WRONG,
    ...Object.keys(properties).flatMap((name) => WRONG.map((value) => ({ [name]: value }))),
  ];
  const refusals = await Promise.all(requests.map((request) => refusal(schema, request)));
  expect(refusals.filter((text) => text !== null && ZODS.test(text))).toEqual([]);
});

describe("the words", () => {
  const schema = z.strictObject({
    name: z.string().max(3).optional(),
    count: z.int().min(2).max(5).optional(),
    list: z
      .array(z.enum(["a", "b", "c"]))
      .min(1)
      .max(2)
      .optional(),
    inner: z.strictObject({ flag: z.boolean() }).optional(),
    at: z.iso.datetime().optional(),
    id: z.uuid().optional(),
  });

  test.each([
    [{ name: 1 }, '"name": must be a text'],
    [{ name: "long" }, '"name": must have at most 3 characters'],
    [{ count: "1" }, '"count": must be a number'],
    [{ count: 2.5 }, '"count": must be a whole number'],
    [{ count: 1 }, '"count": must be at least 2'],
    [{ count: 9 }, '"count": must be at most 5'],
    [{ list: "a" }, '"list": must be a list'],
    [{ list: [] }, '"list": must have at least 1 entry'],
    [{ list: ["a", "a", "a"] }, '"list": must have at most 2 entries'],
    [{ list: ["a", "d"] }, '"list", entry 2: must be "a", "b" or "c"'],
    [{ inner: {} }, '"inner.flag": is missing'],
    [{ inner: 1 }, '"inner": must be an object'],
    [{ at: "soon" }, '"at": must be a time such as 2026-01-02T03:04:05Z'],
    [{ id: "7" }, '"id": must be a UUID such as 0198d2a5-3b5c-7d1e-8f2a-6c4b9e0d7a31'],
    [{ other: 1 }, 'Unknown field "other"'],
    [[], "The body is not right: must be an object"],
  ])("for %j", async (value, words) => {
    expect(await refusal(schema, value)).toBe(words);
  });
});
