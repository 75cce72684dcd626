import type { IncomingFiles } from "./incoming-files.ts";
import type { IncomingManifest } from "./incoming-manifest.ts";

/** The phase of an attempt to receive a set. Each phase has only the fields that are valid in it. */
export type SetPhase =
  /** The set's folder is being opened, and the files received by earlier attempts are being checked. */
  | { name: "opening" }
  /** The client walks through its folders, and sends the manifest. */
  | { name: "listing"; manifest: IncomingManifest }
  /** The manifest is complete. Files that are already stored are linked into the set's folder. */
  | { name: "linking" }
  /** Files are being requested and received. */
  | { name: "receiving"; files: IncomingFiles }
  /** The attempt is over. Messages and frames are ignored. */
  | { name: "ended" };
