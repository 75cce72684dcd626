import * as z from "zod";

export const MAX_PAGE = 1000;

/** Most things on a page. @param normal where it is not given */
export function pageLimit(normal: number) {
  const expected = `must be a whole number from 1 to ${MAX_PAGE}`;
  return (
    z
      .string()
      .regex(/^[1-9]\d{0,3}$/, expected)
      .transform(Number)
      .refine((limit) => limit <= MAX_PAGE, expected)
      .default(normal)
      // Text on the wire; a number for who reads the OpenAPI document.
      .meta({
        type: "integer",
        minimum: 1,
        maximum: MAX_PAGE,
        description: `${normal} where not given`,
      })
  );
}
