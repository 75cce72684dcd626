import type { ServerMessage } from "../protocol/messages.ts";

/** How a request ended. */
export interface Delivery {
  outcome: "sent" | "cancelled" | "disconnected" | "refused";
  /** Bytes of files that left; bytes sent twice count twice. */
  bytesSent: number;
  /** Why it was refused. */
  reason?: string;
}

/** What a request was about, for the site's own record. */
export interface About {
  /** Missing for a file, the most frequent request. */
  action?: "browse" | "set";
  download_id?: string;
  /** As the server asked for it: a file; a folder, or "" for the roots; the patterns of a set. */
  file_path: string;
  /** How many files of a set were sent. */
  files?: number;
}

/** Why a stream is to stop. */
export type StopReason = "done" | "cancelled" | "disconnected";

/** Messages that only sets have. */
export type SetMessage = Extract<ServerMessage, { type: "set_select" | "set_list" | "set_want" }>;

/** A stream that this client serves on a connection: a file, a listing of a folder, or a set. */
export interface OutgoingStream {
  readonly about: About;
  /** Runs until the server confirms or cancels, or the connection ends; never rejects. */
  run(): Promise<Delivery>;
  /** Whether at least this many bytes were sent in this attempt. */
  hasDelivered(bytes: number): boolean;
  /**
   * Grants everything below `maxOffset`. A grant is never taken back, even if messages arrive out of order.
   */
  grant(maxOffset: number): void;
  /** Asks for a damaged frame again. */
  resend(offset: number): void;
  stop(reason: StopReason): void;
  /** @throws FdsError `protocol_error` where the stream is not a set */
  onSetMessage(message: SetMessage): void;
}
