import type { FileComplete } from "../../protocol/messages.ts";
import type { Source } from "../download.ts";
import type { StreamFlowControl } from "./flow-control.ts";
import type { PartWriter } from "./part-writer.ts";

/** What an attempt holds from its request on. */
interface Open {
  writer: PartWriter;
  flow: StreamFlowControl;
}

/** Where an attempt at a file is. Each phase has only what is known in it. */
export type FilePhase =
  /** The part is opened, and what it holds is read again. */
  | { name: "opening" }
  /** The client was asked, and owes file_start. */
  | ({ name: "requested" } & Open)
  /** The row is told where the file begins. Frames that come meanwhile wait, and so does the end. */
  | ({ name: "starting"; source: Source; complete: FileComplete | null } & Open)
  /** Frames are written. */
  | ({ name: "receiving"; source: Source } & Open)
  /** Everything came: it is written, flushed and compared. */
  | ({ name: "verifying"; source: Source; complete: FileComplete } & Open)
  /** Nothing more is taken. */
  | { name: "ended" };
