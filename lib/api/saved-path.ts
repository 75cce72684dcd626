import * as z from "zod";

/**
 * Path of a saved file or set, relative to the server's downloads folder. The pattern excludes `..` and
 * absolute paths, so that the path stays inside a folder it is joined to.
 */
export const SavedPath = z
  .string()
  .regex(/^(?:[^./\\][^/\\]*\/)*[^./\\][^/\\]*$/)
  .meta({ description: "relative to DOWNLOADS_DIR, with forward slashes" });
