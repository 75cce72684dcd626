import { openS3Storage, type S3Options } from "../../lib/server/storage/s3/s3.ts";
import type { Storage } from "../../lib/server/storage/storage.ts";
import { FakeS3 } from "./fake-s3.ts";

/** Returns the options of a storage that uses a fake S3. */
export function optionsFor(s3: FakeS3): S3Options {
  const { endpoint, bucket, region, accessKeyId, secretAccessKey } = s3;
  return {
    ...{ endpoint, bucket, region, accessKeyId, secretAccessKey },
    prefix: "some/where/",
    memory: 1024 * 1024,
    pauses: { firstMs: 1, longestMs: 10 },
  };
}

/** A storage with a fake S3 of its own. Disposal closes both. */
export class TemporaryS3 implements AsyncDisposable {
  private constructor(
    readonly s3: FakeS3,
    readonly options: S3Options,
    readonly storage: Storage,
  ) {}

  static async open(options: Partial<S3Options> = {}): Promise<TemporaryS3> {
    const s3 = new FakeS3();
    if (options.segment !== undefined) s3.minPart = options.segment;
    const all = { ...optionsFor(s3), ...options };
    return new TemporaryS3(s3, all, await openS3Storage(all));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.storage.close();
    await this.s3[Symbol.asyncDispose]();
  }
}
