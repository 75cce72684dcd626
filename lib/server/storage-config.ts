import { resolve } from "node:path";
import { UsageError } from "../util/flags.ts";
import type { Settings } from "../util/settings.ts";
import type { SERVER_SETTINGS } from "./settings.ts";

/** The storage for the bytes of files: a folder, or a bucket of S3. */
export type StorageConfig =
  | { type: "folder"; path: string; memory: 0 }
  | {
      type: "s3";
      endpoint: string;
      region: string;
      bucket: string;
      /** Prefix of the keys of all objects: empty, or ending in `/`. */
      prefix: string;
      accessKeyId: string;
      secretAccessKey: string;
      /** Maximum number of bytes of files that wait in memory until they are stored. */
      memory: number;
    };

/**
 * Maximum number of characters of the prefix. Keys of S3 have at most 1,024 bytes, and file names need most
 * of them.
 */
const MAX_PREFIX_LENGTH = 64;
const S3_URL = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9._/-]*))?$/;

/**
 * Returns the storage that the settings describe.
 * @param downloadsDir the folder if STORAGE_URL is not set
 * @param receiveBudget most bytes of files in memory
 * @throws UsageError that names the wrong setting
 */
export function storageOf(
  settings: Settings<typeof SERVER_SETTINGS>,
  downloadsDir: string,
  receiveBudget: number,
): StorageConfig {
  const url = settings.read("storageUrl");
  if (url === null) return { type: "folder", path: downloadsDir, memory: 0 };
  if (!/^[a-z][a-z0-9+.-]+:/i.test(url)) return { type: "folder", path: resolve(url), memory: 0 };
  const { bucket, prefix } = parseS3Url(url);
  const accessKeyId = settings.read("accessKeyId");
  const secretAccessKey = settings.read("secretAccessKey");
  if (accessKeyId === null || secretAccessKey === null) {
    const missing = accessKeyId === null ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY";
    throw new UsageError(`${missing} is missing, STORAGE_URL "${url}" needs it`);
  }
  const region = settings.read("s3Region");
  const endpoint = settings.read("s3Endpoint") ?? `https://s3.${region}.amazonaws.com`;
  // Half of the memory is for received bytes, the other half for bytes that wait to be stored.
  const memory = Math.floor(receiveBudget / 2);
  return { type: "s3", memory, endpoint, region, bucket, prefix, accessKeyId, secretAccessKey };
}

function parseS3Url(url: string): { bucket: string; prefix: string } {
  const [, bucket, path = ""] = S3_URL.exec(url) ?? [];
  const names = path.split("/").filter((name) => name !== "");
  const prefix = names.map((name) => `${name}/`).join("");
  const isUsable = prefix.length <= MAX_PREFIX_LENGTH && !names.some((name) => /^\.+$/.test(name));
  if (bucket !== undefined && isUsable) return { bucket, prefix };
  throw new UsageError(
    `STORAGE_URL is "${url}", expected a folder, or s3://BUCKET/PREFIX with a prefix of at most ${MAX_PREFIX_LENGTH} letters, digits, ".", "_", "-" and "/"`,
  );
}
