import type { IncomingFiles } from "./incoming-files.ts";
import type { IncomingManifest } from "./incoming-manifest.ts";

/** Where an attempt at a set is. Each phase has only what is known in it. */
export type SetPhase =
  /** What is there is looked at. */
  | { name: "opening" }
  /** The client walks, and sends the manifest. */
  | { name: "listing"; manifest: IncomingManifest }
  /** The manifest is here; files that are stored already are linked. */
  | { name: "linking" }
  /** Files are asked for, and come. */
  | { name: "receiving"; files: IncomingFiles }
  /** Nothing more is taken. */
  | { name: "ended" };
