import type { FakeS3 } from "./fake-s3.ts";

/** Returns the settings of a server that stores its files in a fake S3. */
export function settingsOf(s3: FakeS3): Record<string, string> {
  return {
    STORAGE_URL: `s3://${s3.bucket}`,
    S3_ENDPOINT: s3.endpoint,
    S3_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
}
