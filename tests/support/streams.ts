import { FlowControl } from "../../lib/server/transfer/flow-control.ts";

const MiB = 1024 * 1024;

export const MAX_UNFLUSHED = 8 * MiB;

/** Opens a flow-controlled stream that records its grants, on a clock that stands still. */
export function openStream(pool: FlowControl, offset = 0) {
  const grants: number[] = [];
  const credit = pool.open({
    offset,
    maxUnflushed: MAX_UNFLUSHED,
    rateLimit: null,
    roundTripMs: () => 1,
    onGrant: (maxOffset) => grants.push(maxOffset),
    now: () => 0,
  });
  return { credit, grants };
}
