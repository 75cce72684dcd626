import type { FileComplete } from "../../protocol/messages.ts";
import type { Source } from "../download.ts";
import type { IncomingBytes } from "./incoming-bytes.ts";

/** Where an attempt at a file is. Each phase has only what is known in it. */
export type FilePhase =
  /** The part is opened, and what it holds is read again. */
  | { name: "opening" }
  /** The client was asked, and owes file_start. */
  | { name: "requested"; bytes: IncomingBytes }
  /** The row is told where the file begins. Frames that come meanwhile wait, and so does the end. */
  | { name: "starting"; bytes: IncomingBytes; source: Source; complete: FileComplete | null }
  /** Frames are written. */
  | { name: "receiving"; bytes: IncomingBytes; source: Source }
  /** Everything came: it is written, flushed and compared. */
  | { name: "verifying"; bytes: IncomingBytes; source: Source; complete: FileComplete }
  /** Nothing more is taken. */
  | { name: "ended" };
