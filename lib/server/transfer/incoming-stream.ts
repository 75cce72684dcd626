import type { SetCounts } from "../set.ts";
import type { FdsError, Problem } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import type {
  ClientStreamMessage,
  ServerMessage,
  ServerStreamMessage,
} from "../../protocol/messages.ts";

/** A message from the client about one stream. */
export type StreamMessage = ClientStreamMessage;

/** A message from the server about one stream, without `stream` and `epoch`, which the sender adds. */
export type StreamCommand = WithoutAddress<ServerStreamMessage>;
type WithoutAddress<T> = T extends unknown ? Omit<T, "stream" | "epoch"> : never;

/** The connection to a client, as far as a stream uses it. */
export interface ClientLink {
  send(message: ServerMessage): void;
  /** Returns the shortest of the connection's latest round trips, in ms; 0: not known. */
  roundTripMs(): number;
  /** Last measured rate of the link, in bytes a second; null: not known. */
  rate: number | null;
}

/**
 * A file, set or listing being received on a client's connection. The session passes it the messages and
 * frames with its stream number, and tells it when the connection is lost.
 */
export interface IncomingStream {
  /** Number of the attempt. The session drops messages and frames that carry another number. */
  readonly epoch: number;
  /** Resolves when the stream no longer accepts messages and frames. */
  readonly ended: Promise<unknown>;
  /**
   * Handles a message from the client about this stream.
   * @throws FdsError `protocol_error`
   */
  onMessage(message: StreamMessage): void;
  /**
   * Takes a frame.
   * @returns true: the frame had new bytes. False: it was dropped
   * @throws FdsError `protocol_error`; such a frame is dropped
   */
  onFrame(frame: Frame): boolean;
  /** Called periodically. Ends the stream if an answer from the client is overdue. */
  checkStalled(): void;
  /** Ends the stream because the connection is lost or the server stops. Received bytes are kept. */
  lose(): void;
  /** Interrupts the stream, to be continued later. The download's row records `problem` as the reason. */
  giveWay(problem: Problem): void;
  /** Ends the stream because the client violated the protocol. */
  violated(error: FdsError): void;
  /** Ends this stream after an unexpected error. Other streams of the connection continue. */
  broke(error: unknown): void;
}

/** How an attempt ended. */
export type Outcome =
  | { type: "received"; digest: string; size: number; bytesOnWire: number }
  /**
   * All files of a set that the client can send are received and flushed. `size` is the number of received
   * bytes.
   */
  | { type: "set_received"; size: number; files: SetCounts; bytesOnWire: number }
  /** No file matches the patterns of a set that is allowed to be empty. */
  | { type: "nothing"; chunkSize: number }
  | { type: "lost" }
  | { type: "failed"; problem: Problem; final?: boolean }
  /** The attempt was interrupted in favour of other downloads, and is continued later. */
  | { type: "gave_way"; problem: Problem }
  /** The download's row was changed elsewhere, so there is no outcome to record. */
  | { type: "abandoned" };

/** Progress of an incoming download. It is more recent than the download's row. */
export interface Progress {
  bytesReceived: number;
  bytesOnWire: number;
  bytesPerSecond: number | null;
  /**
   * For a set: the number of files by result, and the total size in bytes of the files received or still to
   * come, including their growth since the client listed them.
   */
  set?: { files: SetCounts; totalSize: number };
}
