import type { BenchBucket } from "../core/bucket.ts";
import { secondsOf } from "../core/scenario.ts";
import { Peer } from "../peers/peer.ts";

/** Where it stores, apart from what a server does. */
const PREFIX = "bare/";

/** The limit of the S3: a loop in a process of its own that stores the same bytes, and nothing more. */
export class S3Loop implements AsyncDisposable {
  readonly #peer: Peer;

  /** @param source a file, which is stored in pieces as a server does it, or a folder of files */
  constructor(
    private readonly bucket: BenchBucket,
    source: string,
  ) {
    this.#peer = Peer.start("s3-putter.ts", [JSON.stringify(bucket.options), source]);
  }

  /** Stores all of it; what it left behind does not count. @returns seconds */
  async carry(most: number): Promise<number> {
    const seconds = await secondsOf(() => this.#peer.ask({ most, prefix: PREFIX }));
    await this.bucket.clear(PREFIX);
    return seconds;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}
