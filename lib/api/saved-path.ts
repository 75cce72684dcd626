import * as z from "zod";

/**
 * Path of a saved file or set, relative to the server's downloads folder. The pattern excludes `..` and
 * absolute paths, so that the path cannot lead out of the folder to which it is appended.
 */
export const SavedPath = z
  .string()
  .regex(/^(?:[^./\\][^/\\]*\/)*[^./\\][^/\\]*$/)
  .meta({ description: "relative to DOWNLOADS_DIR, with forward slashes" });
