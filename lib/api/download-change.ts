import * as z from "zod";
import { RateLimit } from "./schemas.ts";

/**
 * What can be changed about a download: the rate limit, until the download has ended, and the hold, which
 * protects its files from removal, at any time.
 */
export const DownloadChange = z
  .strictObject({
    rate_limit: RateLimit.nullable().optional(),
    hold: z.boolean().optional().meta({ description: "an admin's" }),
  })
  .refine(({ rate_limit, hold }) => rate_limit !== undefined || hold !== undefined, {
    message: 'give "rate_limit" or "hold"',
  })
  .meta({ id: "DownloadChange" });
export type DownloadChange = z.input<typeof DownloadChange>;
