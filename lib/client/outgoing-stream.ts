import type { ServerMessage } from "../protocol/messages.ts";

/** How a request of the server ended. */
export interface RequestResult {
  outcome: "sent" | "cancelled" | "disconnected" | "refused";
  /** Bytes of files that were sent to the server. Bytes sent twice count twice. */
  bytesSent: number;
  /** The error's code and message, if the request was refused. */
  reason?: string;
}

/** What the server requested, for the site's own record of requests. */
export interface RequestDetails {
  /** Kind of the request. Undefined for a single file, the most frequent kind. */
  action?: "browse" | "set";
  download_id?: string;
  /**
   * The path as the server sent it: of a file, or of a folder to list ("" for the roots). For a set, its
   * patterns.
   */
  file_path: string;
  /** The number of files of a set that were sent. */
  files?: number;
}

/** Why a stream is to be stopped. */
export type StopReason = "done" | "cancelled" | "disconnected";

/** Messages about sets only. */
export type SetMessage = Extract<ServerMessage, { type: "set_select" | "set_list" | "set_want" }>;

/** A request of the server that is being served: a file, a listing of a folder, or a set. */
export interface OutgoingStream {
  readonly requestDetails: RequestDetails;
  /**
   * Serves the request until the server reports it as done or cancels it, or until the connection ends. Never
   * rejects.
   */
  run(): Promise<RequestResult>;
  /** Reports whether at least this many bytes were sent in this attempt. */
  hasSent(bytes: number): boolean;
  /**
   * Allows the stream to send all bytes below `maxOffset`. A lower value than before has no effect, because
   * granted credit is not taken back, as in QUIC.
   */
  grant(maxOffset: number): void;
  /** Sends everything from an offset on again, because the frame at this offset arrived damaged. */
  resend(offset: number): void;
  stop(reason: StopReason): void;
  /** Handles a message about a set. @throws FdsError `protocol_error` if the stream does not serve a set */
  onSetMessage(message: SetMessage): void;
}
