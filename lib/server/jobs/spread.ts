import { createHash } from "node:crypto";
import type { Job } from "../job.ts";

/**
 * Returns the earliest start of a client's download, if starts are spread over a span of time. A hash of the
 * client's id decides, so each client always has the same place in the span.
 * @returns ms since 1970; null: at once
 */
export function startOf(
  { spreadMs, spreadFrom }: Pick<Job, "spreadFrom" | "spreadMs">,
  clientId: string,
): number | null {
  if (spreadMs === 0) return null;
  return spreadFrom + Math.floor(spreadMs * placeOf(clientId));
}

/** The place of a client in a span: at least 0 and less than 1. */
function placeOf(clientId: string): number {
  return createHash("sha256").update(clientId).digest().readUInt32BE(0) / 2 ** 32;
}
