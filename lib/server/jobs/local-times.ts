import { localTimeAt } from "../../util/time-zone.ts";
import { timeZoneOf } from "../clients/time-zone.ts";
import type { Repository } from "../database/repository.ts";
import { isDated } from "../download.ts";
import type { Job } from "../job.ts";

/**
 * Returns the local times that fill in the dates in a job's paths. A client's local time is the time of the
 * schedule for which the job was made, or the time when the job was requested, in the client's zone.
 * @returns a function from client id to local time; it returns null for each client if the paths have no
 * dates
 */
export async function localTimes(
  { order, createdAt, occurrence }: Pick<Job, "createdAt" | "occurrence" | "order">,
  clientIds: readonly string[],
  clients: Pick<Repository, "listClients">,
): Promise<(clientId: string) => string | null> {
  if (!isDated(order)) return () => null;
  const { at, localTime } = occurrence ?? { at: createdAt, localTime: null };
  if (localTime !== null) return () => localTime;
  const ids = { are: "in", ids: new Set(clientIds) } as const;
  const found = await clients.listClients({ ids, limit: clientIds.length });
  const zones = new Map(found.map((client) => [client.clientId, timeZoneOf(client)]));
  return (clientId) => localTimeAt(at, zones.get(clientId) ?? "UTC");
}
