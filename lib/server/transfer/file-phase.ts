import type { FileComplete } from "../../protocol/messages.ts";
import type { Source } from "../download.ts";
import type { IncomingBytes } from "./incoming-bytes.ts";

/** Phase of an attempt at a file. Each phase has only the fields that are valid in it. */
export type FilePhase =
  /** The part is opened, and its bytes are read again. */
  | { name: "opening" }
  /** The client was asked, and owes file_start. */
  | { name: "requested"; bytes: IncomingBytes }
  /** The start is being recorded in the row. Frames, and the end, wait meanwhile. */
  | { name: "starting"; bytes: IncomingBytes; source: Source; complete: FileComplete | null }
  /** Frames are written. */
  | { name: "receiving"; bytes: IncomingBytes; source: Source }
  /** Everything came: it is written, flushed and compared. */
  | { name: "verifying"; bytes: IncomingBytes; source: Source; complete: FileComplete }
  /** Nothing more is taken. */
  | { name: "ended" };
