import type { ServerMessage } from "../protocol/messages.ts";

/** What became of a request. */
export interface Delivery {
  outcome: "sent" | "cancelled" | "disconnected" | "refused";
  /** Bytes of files that left, those that were sent twice counted twice. */
  bytesSent: number;
  /** Why it was refused. */
  reason?: string;
}

/** What a request was about, for the site's own record. */
export interface About {
  /** Missing for a file, which is what is asked for most. */
  action?: "browse" | "set";
  download_id?: string;
  /** As the server asked for it: a file; a folder, "" for the roots; the patterns of a set. */
  file_path: string;
  /** How many files of a set were sent. */
  files?: number;
}

/** Why a stream is to stop. */
export type StopReason = "done" | "cancelled" | "disconnected";

/** Messages that are about a set alone. */
export type SetMessage = Extract<ServerMessage, { type: "set_select" | "set_list" | "set_want" }>;

/** One of the streams that this client serves on a connection: a file, a folder's names, a set. */
export interface OutgoingStream {
  readonly about: About;
  /** Runs until the server confirms or cancels, or the connection ends; never rejects. */
  run(): Promise<Delivery>;
  /** Whether at least this many bytes were sent in this attempt. */
  hasDelivered(bytes: number): boolean;
  /** Everything below `maxOffset` may be sent; what was granted stays so, whatever comes late. */
  grant(maxOffset: number): void;
  /** A frame came damaged. */
  resend(offset: number): void;
  stop(reason: StopReason): void;
  /** @throws FdsError `protocol_error` where it is no set */
  onSetMessage(message: SetMessage): void;
}
