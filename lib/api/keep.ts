import * as z from "zod";

/* How long the results of a job or schedule are kept. */

export const MAX_KEPT_DAYS = 36_500;
export const MAX_KEPT_LAST = 10_000;

export const Keep = z
  .strictObject({
    days: z
      .int()
      .min(1)
      .max(MAX_KEPT_DAYS)
      .optional()
      .meta({ description: "since it was completed" }),
    last: z.int().min(1).max(MAX_KEPT_LAST).optional().meta({
      description: "so many of the newest completed downloads of each client",
    }),
  })
  .refine(({ days, last }) => days !== undefined || last !== undefined, {
    message: 'give "days", "last" or both',
  })
  .meta({ id: "Keep", description: "kept while either says so, then removed" });
export type Keep = z.infer<typeof Keep>;
