import { join } from "node:path";
import { SQL } from "bun";
import { toRegisteredRow } from "../../lib/server/database/rows.ts";
import { client } from "../server/database/samples.ts";
import { siteId } from "./dashboard.ts";

/** The deliveries of a schedule over many nights. The newest night is November 30, 2026, 2:30 UTC. */
export interface PastNights {
  schedule: string;
  sites: number;
  nights: number;
  idOf?: (site: number) => string;
}

/** In the newest night, one in this many sites did not deliver. */
const MISSING_OF = 100;

/** Writes clients, and their deliveries of past nights, into a server's SQLite file. */
export async function fillDeliveries(folder: string, nights: PastNights): Promise<void> {
  const { schedule, sites, idOf = siteId } = nights;
  await using sql = new SQL({
    adapter: "sqlite",
    filename: join(folder, "downloads/.server/state.db"),
    transform: SQL.camel,
  });
  const [row] = await sql<{ scheduleId: string }[]>`
    SELECT schedule_id FROM schedules WHERE name = ${schedule}`;
  const clients = Array.from({ length: sites }, (_, site) => toRegisteredRow(client(idOf(site))));
  const rows = Array.from({ length: nights.nights * sites }, (_, index) => {
    const night = Math.floor(index / sites);
    const site = index % sites;
    const scheduledAt = Date.UTC(2026, 10, 30 - night, 2, 30);
    const isMissing = night === 0 && site % MISSING_OF === 0;
    return {
      scheduleId: row?.scheduleId ?? "",
      clientId: idOf(site),
      localTime: new Date(scheduledAt).toISOString().slice(0, 19),
      timeZone: "UTC",
      scheduledAt,
      dueAt: scheduledAt + 5_400_000,
      jobId: Bun.randomUUIDv7("hex", scheduledAt),
      status: isMissing ? "missing" : "received",
      downloadId: null,
      files: isMissing ? 0 : 1,
      bytes: isMissing ? 0 : 1_000,
      revision: 1,
    };
  });
  await sql.begin(async (all) => {
    for (let at = 0; at < clients.length; at += 200) {
      await all`INSERT INTO clients ${all(clients.slice(at, at + 200))}`;
    }
    for (let at = 0; at < rows.length; at += 200) {
      await all`INSERT INTO deliveries ${all(rows.slice(at, at + 200))}`;
    }
  });
}
