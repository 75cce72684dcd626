import * as z from "zod";

export const MAX_PAGE = 1000;

const EXPECTED = `must be a whole number from 1 to ${MAX_PAGE}`;

const limitText = z
  .string()
  .regex(/^[1-9]\d{0,3}$/, EXPECTED)
  .transform(Number)
  .refine((limit) => limit <= MAX_PAGE, EXPECTED);

/**
 * The limit of items on a page, as the OpenAPI document describes it: a number, although a query parameter is
 * sent as text.
 */
const LIMIT_JSON_SCHEMA = { type: "integer", minimum: 1, maximum: MAX_PAGE } as const;

/** Maximum number of items on a page. If a request gives no limit, the whole list is one page. */
export const anyPageLimit = limitText
  .optional()
  .meta({ ...LIMIT_JSON_SCHEMA, description: "all where not given" });

/** Returns the schema for the most items on a page. @param defaultLimit the default */
export function pageLimit(defaultLimit: number) {
  return limitText
    .default(defaultLimit)
    .meta({ ...LIMIT_JSON_SCHEMA, description: `${defaultLimit} where not given` });
}
