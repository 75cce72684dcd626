import { FdsError } from "../../protocol/errors.ts";
import type { IncomingStream } from "../transfer/incoming-stream.ts";

/** The streams that one connection carries, by number. */
export class Streams {
  readonly #open = new Map<number, IncomingStream>();
  #last = 0;

  /** Gives a stream its number. Messages and frames of that number are handed to it until it has ended. */
  attach<Stream extends IncomingStream>(make: (number: number) => Stream): Stream {
    const number = ++this.#last;
    const stream = make(number);
    this.#open.set(number, stream);
    void stream.ended.then(() => this.#open.delete(number));
    return stream;
  }

  /** Those that still run. */
  values(): Iterable<IncomingStream> {
    return this.#open.values();
  }

  /**
   * Hands something to the stream that it is for. A bug that one download meets is not the client's
   * doing, and no matter of its other downloads.
   * @returns what came of it; undefined where the stream has ended, so that it came late
   * @throws FdsError `protocol_error`
   */
  hand<T>(
    address: { stream: number; epoch: number },
    over: (stream: IncomingStream) => T,
  ): T | undefined {
    const stream = this.#find(address);
    if (!stream) return undefined;
    try {
      return over(stream);
    } catch (error) {
      if (error instanceof FdsError) throw error;
      stream.broke(error);
      return undefined;
    }
  }

  #find(address: { stream: number; epoch: number }): IncomingStream | undefined {
    if (address.stream > this.#last) {
      throw new FdsError("protocol_error", `there is no stream ${address.stream}`);
    }
    const stream = this.#open.get(address.stream);
    if (stream?.epoch !== address.epoch) return undefined;
    return stream;
  }
}
