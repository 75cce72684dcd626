import { atOnce } from "../../../util/at-once.ts";
import { eventLoopBudget } from "../../../util/event-loop-budget.ts";
import type { Bucket, BucketAnswer, Patience } from "./bucket.ts";
import { S3Error } from "./error.ts";
import { elementsOf, escaped, valueOf } from "./xml.ts";

/** An object as S3 lists it. */
export interface ListedObject {
  key: string;
  size: number;
  etag: string;
}

/** Metadata of an object, from a HEAD request. */
export interface ObjectHead {
  size: number;
  etag: string;
  /** Id of the download that the object was stored for; null if not recorded. */
  downloadId: string | null;
}

/** Conditions and metadata for creating an object. */
export interface NewObject {
  /** True: the request fails with `PreconditionFailed` (status 412) if an object with this key exists. */
  onlyIfNew?: boolean;
  downloadId?: string;
}

/** Maximum number of keys in one request that lists or removes objects. */
const MAX_KEYS = 1_000;
/**
 * Number of remove requests sent at the same time. Several requests are faster, because S3 removes the
 * objects of one request one after the other.
 */
const REMOVALS = 4;
const HASH_BLOCK = 1024 * 1024;
const DOWNLOAD_ID = "x-amz-meta-download-id";

/** The objects of a bucket. The methods throw S3Error after the last retry. */
export class Objects {
  constructor(
    readonly bucket: Bucket,
    readonly patience: Patience,
  ) {}

  /** Checks that the bucket exists and that the credentials give access to it. */
  async check(): Promise<void> {
    await this.bucket.ask(
      { method: "GET", query: { "list-type": "2", "max-keys": "1" } },
      this.patience,
    );
  }

  /**
   * Stores an object. S3 verifies the bytes by MD5, and the returned ETag is compared with the MD5.
   * @returns the object's ETag
   */
  async put(
    key: string,
    body: Uint8Array<ArrayBuffer>,
    newObject: NewObject = {},
  ): Promise<string> {
    const md5 = await md5Of(body);
    const headers = {
      "content-md5": md5.toString("base64"),
      ...headersOf(newObject),
    };
    const request = { method: "PUT", key, headers, body } as const;
    return this.bucket.retry(
      async () => etagOf(await this.bucket.ask(request, this.patience), md5.toString("hex")),
      this.patience,
    );
  }

  /**
   * Reads an object from `start` up to but not including `end`.
   * @param etag ETag that the object must still have
   */
  async get(
    key: string,
    { start, end }: { start: number; end: number },
    etag: string,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (end <= start) return new Uint8Array(0);
    const headers = { range: `bytes=${start}-${end - 1}`, "if-match": etag };
    const request = { method: "GET", key, headers, expected: end - start } as const;
    return this.bucket.retry(async () => {
      const { bytes } = await this.bucket.ask(request, this.patience);
      if (bytes.length !== end - start) throw new S3Error("the body was cut", null);
      return bytes;
    }, this.patience);
  }

  /**
   * Reads the metadata of an object.
   * @returns null if the object does not exist
   */
  async head(key: string): Promise<ObjectHead | null> {
    try {
      const { headers } = await this.bucket.ask({ method: "HEAD", key }, this.patience);
      return {
        size: Number(headers.get("content-length")),
        etag: headers.get("etag") ?? "",
        downloadId: headers.get(DOWNLOAD_ID),
      };
    } catch (error) {
      if (error instanceof S3Error && error.status === 404) return null;
      throw error;
    }
  }

  /** Lists the objects whose keys begin with a prefix, ordered by the UTF-8 bytes of their keys. */
  async *list(prefix: string): AsyncGenerator<ListedObject> {
    for await (const page of this.#pages({ prefix })) {
      for (const each of elementsOf(page, "Contents")) {
        yield {
          key: valueOf(each, "Key") ?? "",
          size: Number(valueOf(each, "Size")),
          etag: valueOf(each, "ETag") ?? "",
        };
      }
    }
  }

  /** Returns the names of the folders directly below a prefix. */
  async folders(prefix: string): Promise<string[]> {
    return (await this.names(prefix)).folders;
  }

  /**
   * Returns the names directly below a prefix: objects, and folders, which S3 derives from the `/` in keys.
   */
  async names(prefix: string): Promise<{ objects: string[]; folders: string[] }> {
    const objects: string[] = [];
    const folders: string[] = [];
    for await (const page of this.#pages({ prefix, delimiter: "/" })) {
      for (const each of elementsOf(page, "Contents")) {
        objects.push((valueOf(each, "Key") ?? "").slice(prefix.length));
      }
      for (const each of elementsOf(page, "CommonPrefixes")) {
        folders.push((valueOf(each, "Prefix") ?? "").slice(prefix.length, -1));
      }
    }
    return { objects, folders };
  }

  /** Removes objects. Objects that do not exist are no error. */
  async remove(keys: string[]): Promise<void> {
    const requests = Math.ceil(keys.length / MAX_KEYS);
    const batches = Array.from({ length: requests }, (_, n) =>
      keys.slice(n * MAX_KEYS, (n + 1) * MAX_KEYS),
    );
    await atOnce(REMOVALS, batches, async (batch) => {
      const items = batch.map((key) => `<Object><Key>${escaped(key)}</Key></Object>`).join("");
      const xml = `<Delete><Quiet>true</Quiet>${items}</Delete>`;
      await this.postXml({ query: { delete: "" } }, xml);
    });
  }

  /** Removes all objects whose keys begin with a prefix. */
  async removeAll(prefix: string): Promise<void> {
    const keys = [];
    for await (const { key } of this.list(prefix)) keys.push(key);
    await this.remove(keys);
  }

  /**
   * Copies an object of up to 5 GiB inside S3.
   * @returns false if the source does not exist. Also false if the source was replaced meanwhile, unless
   *   `how.onlyIfNew` is set
   * @throws S3Error. If `how.onlyIfNew` is set, status 412 means that the name `to` is taken, or that the
   *   source was replaced meanwhile
   */
  async copy(
    { key: from, etag, size }: ListedObject,
    to: string,
    newObject: NewObject = {},
  ): Promise<boolean> {
    const newHeaders = headersOf(newObject);
    const headers = {
      ...newHeaders,
      ...(DOWNLOAD_ID in newHeaders && { "x-amz-metadata-directive": "REPLACE" }),
      "x-amz-copy-source": this.bucket.copySource(from),
      "x-amz-copy-source-if-match": etag,
    };
    try {
      await this.askForText({ method: "PUT", key: to, headers, expected: size });
      return true;
    } catch (error) {
      const goneStatuses = newObject.onlyIfNew ? [404] : [404, 412];
      if (error instanceof S3Error && goneStatuses.includes(error.status ?? 0)) return false;
      throw error;
    }
  }

  /**
   * Sends a request with an XML body.
   * @returns the XML of the answer
   * @throws S3Error, also for an error in the body of a successful answer
   */
  async postXml(
    request: { key?: string; query: Record<string, string>; headers?: Record<string, string> },
    xml: string,
  ): Promise<string> {
    const body = new TextEncoder().encode(xml);
    const md5 = await md5Of(body);
    const headers = { ...request.headers, "content-md5": md5.toString("base64") };
    return this.askForText({ ...request, method: "POST", headers, body });
  }

  /**
   * Sends a request that S3 may answer with status 200 before the work is done. The result is in the body.
   * @returns the body
   * @throws S3Error, also for an error in the body
   */
  async askForText(request: Parameters<Bucket["ask"]>[0]): Promise<string> {
    return this.bucket.retry(async () => {
      const { bytes, status } = await this.bucket.ask(request, this.patience);
      const text = new TextDecoder().decode(bytes);
      const error = elementsOf(text, "Error")[0];
      if (error === undefined) return text;
      const code = valueOf(error, "Code") ?? "no reason";
      // S3 may answer with status 200 before the work is done. `InternalError` in the body is temporary, like
      // status 500.
      throw new S3Error(code, code === "InternalError" ? 500 : status);
    }, this.patience);
  }

  async *#pages(query: Record<string, string>): AsyncGenerator<string> {
    for (let token: string | null = ""; token !== null;) {
      const { bytes } = await this.bucket.ask(
        {
          method: "GET",
          query: {
            "list-type": "2",
            "max-keys": String(MAX_KEYS),
            ...query,
            ...(token !== "" && { "continuation-token": token }),
          },
        },
        this.patience,
      );
      const page = new TextDecoder().decode(bytes);
      yield page;
      token = valueOf(page, "NextContinuationToken");
    }
  }
}

/** Returns the request headers for creating an object. */
export function headersOf({ onlyIfNew = false, downloadId }: NewObject): Record<string, string> {
  return {
    ...(onlyIfNew && { "if-none-match": "*" }),
    ...(downloadId !== undefined && { [DOWNLOAD_ID]: downloadId }),
  };
}

/**
 * Returns the ETag of a stored object after comparing it with the MD5 of the bytes sent. The ETag of an
 * object encrypted with a KMS key is no MD5, and is not compared.
 * @throws S3Error if the ETag differs
 */
export function etagOf({ headers }: BucketAnswer, md5: string): string {
  const etag = headers.get("etag") ?? "";
  const isMd5 = !headers.get("x-amz-server-side-encryption")?.startsWith("aws:kms");
  if (isMd5 && etag.replaceAll('"', "") !== md5) throw new S3Error("the ETag is wrong", null);
  return etag;
}

/** Computes the MD5 of bytes, block by block so that other work is not held up. */
export async function md5Of(bytes: Uint8Array): Promise<Buffer> {
  const hash = new Bun.CryptoHasher("md5");
  for (let at = 0; at < bytes.length; at += HASH_BLOCK) {
    const block = bytes.subarray(at, at + HASH_BLOCK);
    await eventLoopBudget.run(() => hash.update(block));
  }
  return hash.digest();
}
