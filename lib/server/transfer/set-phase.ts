import type { IncomingFiles } from "./incoming-files.ts";
import type { IncomingManifest } from "./incoming-manifest.ts";

/** Phase of an attempt at a set. Each phase has only the fields that are valid in it. */
export type SetPhase =
  /** The files of earlier attempts are looked at. */
  | { name: "opening" }
  /** The client walks, and sends the manifest. */
  | { name: "listing"; manifest: IncomingManifest }
  /** The manifest is here. Files that are stored already are linked. */
  | { name: "linking" }
  /** Files are requested and received. */
  | { name: "receiving"; files: IncomingFiles }
  /** Nothing more is taken. */
  | { name: "ended" };
