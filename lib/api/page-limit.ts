import * as z from "zod";

export const MAX_PAGE = 1000;

const EXPECTED = `must be a whole number from 1 to ${MAX_PAGE}`;

const wanted = z
  .string()
  .regex(/^[1-9]\d{0,3}$/, EXPECTED)
  .transform(Number)
  .refine((limit) => limit <= MAX_PAGE, EXPECTED);

/** Text on the wire; a number for who reads the OpenAPI document. */
const SHOWN = { type: "integer", minimum: 1, maximum: MAX_PAGE } as const;

/** Most things on a page; where it is not given, the whole list is asked for. */
export const anyPageLimit = wanted
  .optional()
  .meta({ ...SHOWN, description: "all where not given" });

/** Most things on a page. @param normal where it is not given */
export function pageLimit(normal: number) {
  return wanted.default(normal).meta({ ...SHOWN, description: `${normal} where not given` });
}
