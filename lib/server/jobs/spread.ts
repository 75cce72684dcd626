import { createHash } from "node:crypto";
import type { Job } from "../job.ts";

/**
 * When a client's download may start. Each client has a place in the time over which a job spreads its
 * starts, the same in each job: a stable hash of its id.
 * @returns ms since 1970; null: at once
 */
export function startOf(
  { spreadMs, spreadFrom }: Pick<Job, "spreadFrom" | "spreadMs">,
  clientId: string,
): number | null {
  if (spreadMs === 0) return null;
  return spreadFrom + Math.floor(spreadMs * placeOf(clientId));
}

/** From 0 to 1. */
function placeOf(clientId: string): number {
  return createHash("sha256").update(clientId).digest().readUInt32BE(0) / 2 ** 32;
}
