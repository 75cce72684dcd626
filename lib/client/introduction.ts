import { arch, hostname, platform } from "node:os";
import { FEATURES, type Introduction } from "../protocol/messages.ts";
import type { ClientKeys } from "./key.ts";

export interface IntroductionOptions {
  id: string;
  keys: ClientKeys;
  /** Token to enrol a new client; undefined if the client authenticates with its key alone. */
  enrolToken: string | undefined;
  version: string;
  /** IANA name of the site's time zone; null if unknown. */
  timeZone: string | null;
  /** Maximum number of bytes that this client puts into one frame. */
  chunkSize: number;
}

/** Returns what the client tells the server about itself when it registers. */
export function introductionOf({
  id,
  keys,
  enrolToken,
  version,
  timeZone,
  chunkSize,
}: IntroductionOptions): Introduction {
  return {
    client_id: id,
    key: keys.key,
    new_key: keys.newKey,
    enroll_token: enrolToken,
    version,
    hostname: hostname(),
    platform: `${platform()} ${arch()}`,
    chunk_size: chunkSize,
    features: Object.values(FEATURES),
    ...(timeZone !== null && { time_zone: timeZone }),
  };
}
