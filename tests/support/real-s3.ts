import { Bucket } from "../../lib/server/storage/s3/bucket.ts";
import { openS3Storage, type S3Options } from "../../lib/server/storage/s3/s3.ts";
import { Objects } from "../../lib/server/storage/s3/objects.ts";

/** Where a real S3 is, for tests: `http://ACCESS_KEY:SECRET_KEY@HOST:PORT`. */
const URL_OF_S3 = process.env["TEST_S3_URL"];

/** Added to the names of tests that cannot run here: the way to get what they need. */
export const NO_REAL_S3 =
  URL_OF_S3 === undefined
    ? " (needs an S3: set TEST_S3_URL=http://ACCESS_KEY:SECRET_KEY@HOST:PORT)"
    : "";

/** The settings of a bucket of its own in the real S3, which is made. */
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
  await new Bucket(options).ask({ method: "PUT" }, { forMs: 10_000 });
  return options;
}

/** Removes a bucket with all that is in it. */
export async function removeBucket(options: S3Options): Promise<void> {
  const bucket = new Bucket(options);
  await new Objects(bucket, { forMs: 10_000 }).removeAll("");
  await bucket.ask({ method: "DELETE" }, { forMs: 10_000 });
}

/** A storage in a bucket of its own. */
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
