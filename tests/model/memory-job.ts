import type { NewJob } from "../../lib/server/jobs/making.ts";
import { order } from "../support/downloads.ts";

/** Returns a job for one client, with the client's id as its name. */
export function jobFor(clientId: string): NewJob {
  const { clientId: _, jobId: __, ...what } = order(clientId, "file");
  return {
    name: clientId,
    selection: { ids: [clientId] },
    membership: "snapshot",
    order: { ...what, ifOffline: "wait" },
    download: {},
    maxConcurrent: null,
    spreadMs: 0,
    stopWhen: null,
    keep: null,
    expiresIn: null,
    request: {},
  };
}
