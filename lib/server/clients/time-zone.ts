import type { Client } from "../database/repository.ts";

/**
 * The zone of a client's local times: the one that operators set, else the one that it reports, else UTC.
 */
export function timeZoneOf({
  timeZone,
  reportedTimeZone,
}: Pick<Client, "reportedTimeZone" | "timeZone">): string {
  return timeZone ?? reportedTimeZone ?? "UTC";
}
