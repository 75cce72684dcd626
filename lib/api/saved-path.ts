import * as z from "zod";

/**
 * Path of a saved file or set, relative to the server's downloads. Joined to a folder, it stays inside that
 * folder.
 */
export const SavedPath = z
  .string()
  .regex(/^(?:[^./\\][^/\\]*\/)*[^./\\][^/\\]*$/)
  .meta({ description: "relative to DOWNLOADS_DIR, with forward slashes" });
