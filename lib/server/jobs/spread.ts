import { createHash } from "node:crypto";
import type { Job } from "../job.ts";

/**
 * The earliest start of a client's download. Each client has a fixed place in the span over which jobs
 * spread their starts: a stable hash of its id.
 * @returns ms since 1970; null: at once
 */
export function startOf(
  { spreadMs, spreadFrom }: Pick<Job, "spreadFrom" | "spreadMs">,
  clientId: string,
): number | null {
  if (spreadMs === 0) return null;
  return spreadFrom + Math.floor(spreadMs * placeOf(clientId));
}

/** A number from 0 to 1. */
function placeOf(clientId: string): number {
  return createHash("sha256").update(clientId).digest().readUInt32BE(0) / 2 ** 32;
}
