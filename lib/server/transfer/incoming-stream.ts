import type { SetCounts } from "../set.ts";
import type { FdsError, Problem } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import type {
  ClientStreamMessage,
  ServerMessage,
  ServerStreamMessage,
} from "../../protocol/messages.ts";

/** What a client says about one of its streams. */
export type StreamMessage = ClientStreamMessage;

/** What a server says about a stream, without the address that is the same in all of it. */
export type StreamCommand = WithoutAddress<ServerStreamMessage>;
type WithoutAddress<T> = T extends unknown ? Omit<T, "stream" | "epoch"> : never;

/** The connection as a stream sees it. */
export interface ClientLink {
  send(message: ServerMessage): void;
  /** The shortest round trip of the last few, in ms. */
  roundTripMs(): number;
  /** What it carried when that was last measured, in bytes a second; null: not known. */
  rate: number | null;
}

/**
 * One of the streams that a connection carries. The session hands over what comes for it, and tells
 * it when the connection is gone.
 */
export interface IncomingStream {
  /** The number of the attempt; the session drops what belongs to another one. */
  readonly epoch: number;
  /** Resolves when the stream takes nothing more. */
  readonly ended: Promise<unknown>;
  /** @throws FdsError `protocol_error` */
  onMessage(message: StreamMessage): void;
  /**
   * @returns whether the frame had new bytes; any other is dropped
   * @throws FdsError `protocol_error`; nothing of such a frame was kept
   */
  onFrame(frame: Frame): boolean;
  /** Called now and then: ends the stream if the client owes an answer for too long. */
  checkStalled(): void;
  /** The connection is gone, or the server shuts down: what has arrived is kept. */
  lose(): void;
  /** It is to go on later, for a reason that the download's record tells. */
  giveWay(problem: Problem): void;
  /** The client broke the protocol. */
  violated(error: FdsError): void;
  /** Something was thrown: it ends this stream and nothing else. */
  broke(error: unknown): void;
}

/** How an attempt ended. */
export type Outcome =
  | { type: "received"; digest: string; size: number; bytesOnWire: number }
  /** Every file of a set that is to come is there, and flushed. `size`: the bytes that came. */
  | { type: "set_received"; size: number; files: SetCounts; bytesOnWire: number }
  /** No file matches, which is what the set is, then. */
  | { type: "nothing"; chunkSize: number }
  | { type: "lost" }
  | { type: "failed"; problem: Problem; final?: boolean }
  /** It goes on once those who waited had their turn. */
  | { type: "gave_way"; problem: Problem }
  /** The download's row says already how it goes on. */
  | { type: "abandoned" };

/** What is known of an incoming download at this moment; fresher than the row. */
export interface Progress {
  bytesReceived: number;
  bytesOnWire: number;
  bytesPerSecond: number | null;
  /** Files and bytes of a set. Files may have grown since they were listed. */
  set?: { files: SetCounts; totalSize: number };
}
