import { Bucket, type BucketOptions } from "../../../lib/server/storage/s3/bucket.ts";
import { Objects } from "../../../lib/server/storage/s3/objects.ts";
import { NO_REAL_S3, realBucket, removeBucket } from "../../support/real-s3.ts";
import { Peer } from "../peers/peer.ts";

/** How long a failing request to S3 is retried, in ms. */
const PATIENCE = 60_000;

/**
 * A bucket for the measurements, in the S3 server of `TEST_S3_URL` or else in the fake S3 server of the
 * tests.
 */
export class BenchBucket implements AsyncDisposable {
  readonly #objects: Objects;

  private constructor(
    readonly options: BucketOptions,
    private readonly end: () => Promise<void>,
  ) {
    this.#objects = new Objects(new Bucket(options), { maxRetryMs: PATIENCE });
  }

  static async open(): Promise<BenchBucket> {
    if (NO_REAL_S3 === "") {
      const options = { ...(await realBucket()), prefix: "" };
      return new BenchBucket(options, () => removeBucket(options));
    }
    const peer = Peer.start("fake-s3.ts");
    const options = (await peer.next()) as BucketOptions;
    return new BenchBucket(options, () => peer[Symbol.asyncDispose]());
  }

  /** The settings that make a server keep its files in this bucket. */
  get settings(): Record<string, string> {
    const { endpoint, bucket, region, accessKeyId, secretAccessKey } = this.options;
    return {
      STORAGE_URL: `s3://${bucket}/`,
      S3_ENDPOINT: endpoint,
      S3_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    };
  }

  /** Removes all objects with a prefix. */
  clear(prefix = ""): Promise<void> {
    return this.#objects.removeAll(prefix);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}
