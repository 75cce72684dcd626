import { SQL } from "bun";
import { expect } from "bun:test";

/** The used columns of a download's row in Postgres. */
export interface HeldRow {
  download_id: string;
  file_path: string | null;
  status: string;
  epoch: number;
  safe_offset: number;
  saved_path: string | null;
  is_set: boolean;
}

/** The used columns of a row for a received file of a set. */
export interface HeldFile {
  download_id: string;
  place: string;
  digest: string;
}

/** Records each change of the downloads in Postgres by a trigger, whichever server makes the change. */
export class History implements AsyncDisposable {
  private constructor(private readonly sql: SQL) {}

  /** Begins to record. @param databaseUrl a database whose tables exist already */
  static async begin(databaseUrl: string): Promise<History> {
    const sql = new SQL(databaseUrl, { max: 2, idleTimeout: 5 });
    await sql.unsafe(`
      CREATE TABLE told (
        seq BIGSERIAL PRIMARY KEY, download_id TEXT, status TEXT, epoch BIGINT, owner TEXT);
      CREATE FUNCTION tell_of_row() RETURNS TRIGGER LANGUAGE plpgsql AS $$
        BEGIN
          INSERT INTO told (download_id, status, epoch, owner)
          VALUES (NEW.download_id, NEW.status, NEW.epoch, NEW.owner);
          RETURN NULL;
        END $$;
      CREATE TRIGGER told AFTER INSERT OR UPDATE ON downloads
        FOR EACH ROW EXECUTE FUNCTION tell_of_row()`);
    return new History(sql);
  }

  /**
   * Expects that each attempt had one owner, that epochs never fell, and that ended downloads never changed
   * status.
   */
  async expectOneOwnerAtATime(): Promise<void> {
    const shared = await this.sql`
      SELECT download_id, epoch, COUNT(DISTINCT owner) AS owners FROM told
      WHERE status IN ('downloading', 'verifying')
      GROUP BY download_id, epoch HAVING COUNT(DISTINCT owner) <> 1`;
    expect([...shared]).toEqual([]);
    const wrong = await this.sql`
      SELECT * FROM (
        SELECT *, lag(epoch) OVER own AS epoch_before, lag(status) OVER own AS status_before
        FROM told WINDOW own AS (PARTITION BY download_id ORDER BY seq)) AS changes
      WHERE epoch < epoch_before OR status <> status_before
        AND (status_before IN ('completed', 'failed', 'cancelled')
          OR status = 'downloading' AND epoch = epoch_before)`;
    expect([...wrong]).toEqual([]);
  }

  /** Returns the ids of all downloads. */
  async ids(): Promise<string[]> {
    const rows = await this.sql`SELECT download_id FROM downloads`;
    return rows.map(({ download_id }: HeldRow) => download_id);
  }

  /** Returns the rows of the downloads that are `downloading` or `verifying`. */
  async open(): Promise<HeldRow[]> {
    const open = await this.sql`
      SELECT download_id FROM downloads WHERE status IN ('downloading', 'verifying')`;
    return this.rows(open.map(({ download_id }: HeldRow) => download_id));
  }

  /** Returns the rows of these downloads, sorted by id. */
  async rows(ids: readonly string[]): Promise<HeldRow[]> {
    if (ids.length === 0) return [];
    const rows = await this.sql`
      SELECT download_id, file_path, status, epoch, safe_offset, saved_path,
        set_order IS NOT NULL AS is_set
      FROM downloads WHERE download_id IN ${this.sql(ids)} ORDER BY download_id`;
    return rows.map((row: HeldRow) => ({
      ...row,
      epoch: Number(row.epoch),
      safe_offset: Number(row.safe_offset),
    }));
  }

  /** Returns the files of a set that are recorded as received, which means their bytes are durable. */
  async files(downloadId: string): Promise<HeldFile[]> {
    return [
      ...(await this.sql`
        SELECT download_id, place, digest FROM set_files
        WHERE download_id = ${downloadId} AND status = 'received'`),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sql.close({ timeout: 0 });
  }
}
