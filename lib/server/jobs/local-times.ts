import { localTimeAt } from "../../util/time-zone.ts";
import { timeZoneOf } from "../clients/time-zone.ts";
import type { Repository } from "../database/repository.ts";
import { isDated } from "../download.ts";
import type { Job } from "../job.ts";

/**
 * Returns the local times that replace the placeholders for dates in a job's paths. If the job was made for
 * an occurrence of a schedule, the time is that of the occurrence, otherwise that of the request for the job.
 * Each client's local time is in the client's time zone.
 * @returns a function from client id to local time; it returns null for each client if the paths have no
 *   dates
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
