import type { FileComplete } from "../../protocol/messages.ts";
import type { Source } from "../download.ts";
import type { IncomingBytes } from "./incoming-bytes.ts";

/** The phase of an attempt to receive a file. Each phase has only the fields that are valid in it. */
export type FilePhase =
  /** The part is being opened, and its durable bytes are being hashed again. */
  | { name: "opening" }
  /** The client was asked for the file, and has not yet answered with `file_start`. */
  | { name: "requested"; bytes: IncomingBytes }
  /**
   * The client has answered with `file_start`, whose size and offset are being recorded in the download's
   * row. Meanwhile, incoming frames and `file_complete` are kept.
   */
  | { name: "starting"; bytes: IncomingBytes; source: Source; complete: FileComplete | null }
  /** Incoming frames are written to the part. */
  | { name: "receiving"; bytes: IncomingBytes; source: Source }
  /**
   * All bytes have arrived. They are being written and flushed, and their checksum is compared with the
   * client's.
   */
  | { name: "verifying"; bytes: IncomingBytes; source: Source; complete: FileComplete }
  /** The attempt is over. Messages and frames are ignored. */
  | { name: "ended" };
