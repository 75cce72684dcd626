import * as z from "zod";

/** Where something was saved. Whoever joins it to a folder stays in that folder. */
export const SavedPath = z
  .string()
  .regex(/^(?:[^./\\][^/\\]*\/)*[^./\\][^/\\]*$/)
  .meta({ description: "relative to DOWNLOADS_DIR, with forward slashes" });
