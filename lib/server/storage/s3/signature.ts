/*
 * AWS Signature Version 4 for S3, in headers
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). Bun can sign URLs, but its
 * signatures support no queries of multipart uploads and no headers such as x-amz-copy-source.
 */

/** Credentials for S3, and the region for which they sign. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
}

/** A request before it is signed. */
export interface Unsigned {
  method: string;
  host: string;
  /** Path of the request as sent, with each name encoded by {@link encode}. */
  path: string;
  query: Record<string, string>;
  /** Headers of the request, with names in lower case. All of them are signed. */
  headers: Record<string, string>;
  /** SHA-256 of the body in hex, or {@link UNSIGNED_BODY}. */
  bodyHash: string;
}

/**
 * Value in place of the hash of an unsigned body. The body is still protected, because the signed headers
 * include its MD5.
 */
export const UNSIGNED_BODY = "UNSIGNED-PAYLOAD";

/**
 * Returns the headers to send, including the signature.
 * @param now time, in ms since 1970
 */
export function signed(
  { method, host, path, query, headers, bodyHash }: Unsigned,
  { accessKeyId, secretAccessKey, region }: Credentials,
  now: number,
): Record<string, string> {
  const time = new Date(now).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const all: Record<string, string> = {
    ...headers,
    host,
    "x-amz-content-sha256": bodyHash,
    "x-amz-date": time,
  };
  const names = Object.keys(all).toSorted();
  const canonical = [
    method,
    path,
    queryString(query),
    ...names.map((name) => `${name}:${all[name]?.trim()}`),
    "",
    names.join(";"),
    bodyHash,
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const key = scope.split("/").reduce(hmac, Buffer.from(`AWS4${secretAccessKey}`));
  const signature = hmac(key, text).toString("hex");
  const { host: _, ...sent } = all;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope},SignedHeaders=${names.join(";")},Signature=${signature}`,
  };
}

/** Returns a query string as it is signed and sent, sorted by name. */
export function queryString(query: Record<string, string>): string {
  const names = Object.keys(query).toSorted();
  return names.map((name) => `${encode(name)}=${encode(query[name] ?? "")}`).join("&");
}

/** Percent-encodes a name or value for a URL as S3 does: all but the unreserved characters of RFC 3986. */
export function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

function hmac(key: Buffer, text: string): Buffer {
  return new Bun.CryptoHasher("sha256", key).update(text).digest();
}
