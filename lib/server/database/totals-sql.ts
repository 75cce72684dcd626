import type { InTurn } from "../../util/fair-turns.ts";
import type { Sites } from "../access/sites.ts";
import type { Download } from "../download.ts";
import type { SqlDatabase } from "./database.ts";
import { OPEN_FAILURES, OPEN_FAILURES_BY_CLIENT, tableOfSites } from "./list-sql.ts";
import type { Totals } from "./repository.ts";
import { sql, type Statement } from "./statement.ts";

/** Number of index entries that one statement counts. Such a statement takes about a millisecond. */
const PAGE = 2_000;

/** A count of 0 for each status. */
export const NONE: Record<Download["status"], number> = {
  queued: 0,
  downloading: 0,
  verifying: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
};
const STATUSES = Object.keys(NONE) as Download["status"][];

interface Count {
  status: Download["status"];
  downloads: number;
  bytes: number;
  lastId: string;
}

/** Counts downloads, one page of an index at a time. */
export class TotalsSql {
  constructor(
    private readonly database: SqlDatabase,
    private readonly inTurn: InTurn,
  ) {}

  /**
   * Counts the downloads that were requested since a time, in ms since 1970.
   * @param sites only downloads of these clients; null: of all clients
   */
  async since(since: number, sites: Sites | null): Promise<Totals> {
    const totals: Totals = { downloads: { ...NONE }, bytes: 0, openFailures: 0 };
    const conditions = sites
      ? (await this.#idsOf(sites)).map((clientId) => sql`client_id = ${clientId}`)
      : STATUSES.map((status) => sql`status = ${status}`);
    for (const condition of conditions) {
      await this.#count(sql`downloads WHERE ${condition}`, idBefore(since), (count) => {
        totals.downloads[count.status] += Number(count.downloads);
        totals.bytes += Number(count.bytes);
      });
    }
    const open = sites
      ? conditions.map((condition) => sql`${OPEN_FAILURES_BY_CLIENT} AND ${condition}`)
      : [OPEN_FAILURES];
    for (const source of open) {
      await this.#count(source, "", ({ downloads }) => {
        totals.openFailures += Number(downloads);
      });
    }
    return totals;
  }

  async #idsOf(sites: Sites): Promise<string[]> {
    const rows = await this.inTurn(() =>
      this.database.run<{ value: string }>(sql`SELECT value FROM ${tableOfSites(sites)}`),
    );
    return rows.map(({ value }) => value);
  }

  /**
   * Counts downloads page by page.
   * @param source the downloads to count: a table and a condition, for which an index returns rows in the
   *   order of ids
   */
  async #count(source: Statement, after: string, add: (count: Count) => void): Promise<void> {
    for (let at = after, isMore = true; isMore;) {
      const counts = await this.inTurn(() => this.#countPage(source, at));
      let found = 0;
      for (const count of counts) {
        add(count);
        found += Number(count.downloads);
        if (count.lastId > at) at = count.lastId;
      }
      isMore = found === PAGE;
    }
  }

  #countPage(source: Statement, after: string): Promise<Count[]> {
    return this.database.run<Count>(sql`
      SELECT status, COUNT(*) AS downloads, SUM(safe_offset) AS bytes, MAX(download_id) AS last_id
      FROM (
        SELECT status, safe_offset, download_id FROM ${source} AND download_id > ${after}
        ORDER BY download_id LIMIT ${PAGE}
      ) AS page
      GROUP BY status`);
  }
}

/**
 * Returns a text that sorts before every UUIDv7 made at this time or later. A UUIDv7 begins with its time.
 * @param time ms since 1970
 */
export function idBefore(time: number): string {
  const digits = time.toString(16).padStart(12, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}`;
}
