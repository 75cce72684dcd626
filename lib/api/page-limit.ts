import * as z from "zod";

export const MAX_PAGE = 1000;

const EXPECTED = `must be a whole number from 1 to ${MAX_PAGE}`;

const wanted = z
  .string()
  .regex(/^[1-9]\d{0,3}$/, EXPECTED)
  .transform(Number)
  .refine((limit) => limit <= MAX_PAGE, EXPECTED);

/**
 * The limit of items on a page, as the OpenAPI document describes it: a number, although a query parameter is
 * sent as text.
 */
const SHOWN = { type: "integer", minimum: 1, maximum: MAX_PAGE } as const;

/** Maximum number of items on a page. If a request gives no limit, the whole list is one page. */
export const anyPageLimit = wanted
  .optional()
  .meta({ ...SHOWN, description: "all where not given" });

/** Returns the schema for the most items on a page. @param normal the default */
export function pageLimit(normal: number) {
  return wanted.default(normal).meta({ ...SHOWN, description: `${normal} where not given` });
}
