import type { LabelChanges, Labels } from "../../api/labels.ts";
import type { SqlDatabase } from "./database.ts";
import { tableOfIds } from "./engines.ts";
import { list, sql } from "./statement.ts";

interface LabelRow {
  clientId: string;
  key: string;
  value: string;
}

/** Reads and writes the rows of clients' labels, and of the time zones that operators set. */
export class LabelsSql {
  constructor(private readonly database: SqlDatabase) {}

  /** Returns the labels of clients. The key is the client's id. Clients without labels are left out. */
  async forClients(clientIds: readonly string[]): Promise<Map<string, Labels>> {
    const rows = await this.database.run<LabelRow>(sql`
      SELECT client_id, key, value FROM client_labels
      WHERE client_id IN (SELECT value FROM ${tableOfIds(clientIds)}) AND value IS NOT NULL
      ORDER BY client_id, key`);
    const labels = new Map<string, Labels>();
    for (const { clientId, key, value } of rows) {
      const labelsOfClient = labels.get(clientId) ?? {};
      labels.set(clientId, Object.assign(labelsOfClient, { [key]: value }));
    }
    return labels;
  }

  /**
   * Sets labels of a client, and removes the labels whose new value is null. One statement makes all changes,
   * or none.
   */
  async change(clientId: string, changes: LabelChanges): Promise<void> {
    const rows = Object.entries(changes).map(
      ([key, value]) => sql`(${clientId}, ${key}, ${value})`,
    );
    if (rows.length === 0) return;
    await this.database.runDurably(sql`
      INSERT INTO client_labels (client_id, key, value) VALUES ${list(rows)}
      ON CONFLICT (client_id, key) DO UPDATE SET value = excluded.value`);
    await this.database.run(sql`
      DELETE FROM client_labels WHERE client_id = ${clientId} AND value IS NULL`);
  }

  /**
   * Sets the time zone of a client.
   * @param timeZone IANA name; null: the zone that the client reports is used
   */
  async setTimeZone(clientId: string, timeZone: string | null): Promise<void> {
    await this.database.runDurably(sql`
      INSERT INTO client_settings (client_id, time_zone) VALUES (${clientId}, ${timeZone})
      ON CONFLICT (client_id) DO UPDATE SET time_zone = excluded.time_zone`);
  }
}
