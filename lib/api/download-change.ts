import * as z from "zod";
import { RateLimit } from "./schemas.ts";

/**
 * What a request can change about a download. The rate limit can be changed until the download has ended. The
 * hold, which protects the download's files from removal, can be changed at any time.
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
