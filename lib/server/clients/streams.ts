import { FdsError } from "../../protocol/errors.ts";
import type { IncomingStream } from "../transfer/incoming-stream.ts";

/** The streams of one client's connection. Each has a number on the connection. */
export class Streams {
  readonly #open = new Map<number, IncomingStream>();
  #lastNumber = 0;

  /**
   * Gives a stream its number. The stream receives the messages and frames with that number until it ends.
   */
  attach<Stream extends IncomingStream>(make: (number: number) => Stream): Stream {
    const number = ++this.#lastNumber;
    const stream = make(number);
    this.#open.set(number, stream);
    void stream.ended.then(() => this.#open.delete(number));
    return stream;
  }

  /** The running streams. */
  values(): Iterable<IncomingStream> {
    return this.#open.values();
  }

  /**
   * Passes a message or frame to its stream. An unexpected error ends only that stream, as a bug of the
   * server must not affect the client's other downloads.
   * @param handle passes the message or frame to the stream
   * @returns the result of `handle`; undefined: the stream has ended, so the message came too late, or
   *   `handle` threw an unexpected error
   * @throws FdsError `protocol_error` if the connection never had this stream; any FdsError that `handle`
   *   throws
   */
  route<T>(
    address: { stream: number; epoch: number },
    handle: (stream: IncomingStream) => T,
  ): T | undefined {
    const stream = this.#find(address);
    if (!stream) return undefined;
    try {
      return handle(stream);
    } catch (error) {
      if (error instanceof FdsError) throw error;
      stream.broke(error);
      return undefined;
    }
  }

  #find(address: { stream: number; epoch: number }): IncomingStream | undefined {
    if (address.stream > this.#lastNumber) {
      throw new FdsError("protocol_error", `there is no stream ${address.stream}`);
    }
    const stream = this.#open.get(address.stream);
    if (stream?.epoch !== address.epoch) return undefined;
    return stream;
  }
}
