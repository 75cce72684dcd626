import type { BenchBucket } from "../core/bucket.ts";
import { secondsOf } from "../core/scenario.ts";
import { Peer } from "../peers/peer.ts";

/** Key prefix of the loop's objects, which keeps them apart from the objects of a server. */
const PREFIX = "bare/";

/**
 * The speed limit of the S3 server: a bare loop in its own process stores the same bytes, and nothing more.
 */
export class S3Loop implements AsyncDisposable {
  readonly #peer: Peer;

  /**
   * Starts the process that stores the bytes.
   * @param source path of a file, which is stored in pieces as a server does, or of a folder of files
   */
  constructor(
    private readonly bucket: BenchBucket,
    source: string,
  ) {
    this.#peer = Peer.start("s3-putter.ts", [JSON.stringify(bucket.options), source]);
  }

  /**
   * Stores all objects. Their removal afterwards is not included in the time.
   * @param most number of simultaneous requests
   * @returns the duration, in s
   */
  async carry(most: number): Promise<number> {
    const seconds = await secondsOf(() => this.#peer.ask({ most, prefix: PREFIX }));
    await this.bucket.clear(PREFIX);
    return seconds;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}
