import { arch, hostname, platform } from "node:os";
import { FEATURES, type Introduction } from "../protocol/messages.ts";
import type { ClientKeys } from "./key.ts";

export interface IntroductionOptions {
  id: string;
  keys: ClientKeys;
  /** Sent to enrol; undefined where the key is enough. */
  enrolToken: string | undefined;
  version: string;
  /** IANA name of the zone of its local times; null: unknown. */
  timeZone: string | null;
  /** Most bytes in a frame that this client sends. */
  chunkSize: number;
}

/** What a client says of itself when it connects. */
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
