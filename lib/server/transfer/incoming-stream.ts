import type { SetCounts } from "../set.ts";
import type { FdsError, Problem } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import type {
  ClientStreamMessage,
  ServerMessage,
  ServerStreamMessage,
} from "../../protocol/messages.ts";

/** A client's message about one of its streams. */
export type StreamMessage = ClientStreamMessage;

/** A server's message about a stream, without the address, which is the same in all of them. */
export type StreamCommand = WithoutAddress<ServerStreamMessage>;
type WithoutAddress<T> = T extends unknown ? Omit<T, "stream" | "epoch"> : never;

/** The connection as a stream uses it. */
export interface ClientLink {
  send(message: ServerMessage): void;
  /** Shortest of the latest round trips, in ms. */
  roundTripMs(): number;
  /** Last measured rate of the link, in bytes a second; null: not known. */
  rate: number | null;
}

/**
 * A stream of a connection. The session passes it what comes for it, and tells it when the connection is
 * gone.
 */
export interface IncomingStream {
  /** Number of the attempt. The session drops what belongs to another one. */
  readonly epoch: number;
  /** Resolves when the stream accepts nothing more. */
  readonly ended: Promise<unknown>;
  /** @throws FdsError `protocol_error` */
  onMessage(message: StreamMessage): void;
  /**
   * @returns whether the frame had new bytes; other frames are dropped
   * @throws FdsError `protocol_error`; nothing of such a frame was kept
   */
  onFrame(frame: Frame): boolean;
  /** Called periodically: ends the stream if the client has owed an answer for too long. */
  checkStalled(): void;
  /** The connection is gone, or the server stops. What has arrived is kept. */
  lose(): void;
  /** Ends the stream, which goes on later. The download's record gives the reason. */
  giveWay(problem: Problem): void;
  /** Ends the stream after a breach of the protocol by the client. */
  violated(error: FdsError): void;
  /** Ends this stream, and nothing else, by an unexpected error. */
  broke(error: unknown): void;
}

/** How an attempt ended. */
export type Outcome =
  | { type: "received"; digest: string; size: number; bytesOnWire: number }
  /** All files of a set that were to come are here, and flushed. `size`: the bytes that came. */
  | { type: "set_received"; size: number; files: SetCounts; bytesOnWire: number }
  /** No file matches, and the set may be empty. */
  | { type: "nothing"; chunkSize: number }
  | { type: "lost" }
  | { type: "failed"; problem: Problem; final?: boolean }
  /** It goes on after others had their turn. */
  | { type: "gave_way"; problem: Problem }
  /** The download's row already has its next state. */
  | { type: "abandoned" };

/** Progress of an incoming download, newer than its row. */
export interface Progress {
  bytesReceived: number;
  bytesOnWire: number;
  bytesPerSecond: number | null;
  /** Counts and bytes of a set. Files may have grown since they were listed. */
  set?: { files: SetCounts; totalSize: number };
}
