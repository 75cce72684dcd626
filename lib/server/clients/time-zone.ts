import type { Client } from "../database/repository.ts";

/** The time zone of a client's local times: what is said of it here, else what it reports, else UTC. */
export function timeZoneOf({
  timeZone,
  reportedTimeZone,
}: Pick<Client, "reportedTimeZone" | "timeZone">): string {
  return timeZone ?? reportedTimeZone ?? "UTC";
}
