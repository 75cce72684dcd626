import type { Client } from "../database/repository.ts";

/**
 * Returns the zone of a client's local times: the zone that operators set, else the one that the client
 * reports, else UTC.
 */
export function timeZoneOf({
  timeZone,
  reportedTimeZone,
}: Pick<Client, "reportedTimeZone" | "timeZone">): string {
  return timeZone ?? reportedTimeZone ?? "UTC";
}
