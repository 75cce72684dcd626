import { Bucket } from "../../lib/server/storage/s3/bucket.ts";
import { openS3Storage, type S3Options } from "../../lib/server/storage/s3/s3.ts";
import { Objects } from "../../lib/server/storage/s3/objects.ts";

/** URL of a real S3 server for tests: `http://ACCESS_KEY:SECRET_KEY@HOST:PORT`. */
const URL_OF_S3 = process.env["TEST_S3_URL"];

/** Suffix for the names of tests that are skipped without a real S3, with the variable to set. */
export const NO_REAL_S3 =
  URL_OF_S3 === undefined
    ? " (needs an S3: set TEST_S3_URL=http://ACCESS_KEY:SECRET_KEY@HOST:PORT)"
    : "";

/** Makes a new bucket in the real S3, and returns the options of a storage in it. */
export async function realBucket(): Promise<S3Options> {
  const { protocol, host, username, password } = new URL(URL_OF_S3 ?? "");
  const options = {
    endpoint: `${protocol}//${host}`,
    bucket: `fds-test-${Bun.randomUUIDv7()}`,
    region: "us-east-1",
    accessKeyId: decodeURIComponent(username),
    secretAccessKey: decodeURIComponent(password),
    prefix: "some/where/",
    memory: 64 * 1024 * 1024,
  };
  await new Bucket(options).ask({ method: "PUT" }, { maxRetryMs: 10_000 });
  return options;
}

/** Removes a bucket and all its objects. */
export async function removeBucket(options: S3Options): Promise<void> {
  const bucket = new Bucket(options);
  await new Objects(bucket, { maxRetryMs: 10_000 }).removeAll("");
  await bucket.ask({ method: "DELETE" }, { maxRetryMs: 10_000 });
}

/** Opens a storage in a new bucket of the real S3. Disposal removes the bucket. */
export async function realS3Storage() {
  const options = await realBucket();
  const storage = await openS3Storage(options);
  return {
    storage,
    [Symbol.asyncDispose]: async () => {
      await storage.close();
      await removeBucket(options);
    },
  };
}
