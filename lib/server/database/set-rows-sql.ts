import type { DownloadErrorCode } from "../../protocol/errors.ts";
import type {
  ListedFile,
  SetCounts,
  SetFile,
  SetFileChange,
  SetFileFilter,
  SetRows,
  StoredTwin,
} from "../set.ts";
import type { SqlDatabase } from "./database.ts";
import { sql } from "./statement.ts";

/** Rows of one statement: it holds the event loop for some milliseconds. */
const BATCH = 250;
/** A file that was read sooner after its last change may have changed again unseen, in ms. */
const SETTLED_MS = 2_000;

/** A file of a set as a row. */
interface SetFileRow {
  idx: number;
  path: string;
  root: number;
  size: number;
  mtimeNs: string;
  place: string | null;
  status: SetFile["status"];
  digest: string | null;
  safeOffset: number;
  errorCode: DownloadErrorCode | null;
  error: string | null;
}

/** The rows of sets' files. Each batch is one statement, whose rows come in as JSON. */
export class SetRowsSql implements SetRows {
  constructor(private readonly database: SqlDatabase) {}

  async insert(downloadId: string, clientId: string, files: ListedFile[]): Promise<void> {
    for (const batch of batches(files)) {
      const rows = batch.map(({ index, path, root, size, mtimeNs, place, error }) => [
        index,
        path,
        root,
        size,
        mtimeNs,
        place,
        error ? "skipped" : "pending",
        error?.code ?? null,
        error?.message ?? null,
      ]);
      await this.database.run(sql`
        INSERT INTO set_files (download_id, client_id, idx, path, root, size, mtime_ns, place, status,
          error_code, error)
        SELECT ${downloadId}, ${clientId}, value->>0, value->>1, value->>2, value->>3, value->>4,
          value->>5, value->>6, value->>7, value->>8
        FROM json_each(${JSON.stringify(rows)})`);
    }
  }

  async clear(downloadId: string): Promise<void> {
    await this.database.run(sql`DELETE FROM set_files WHERE download_id = ${downloadId}`);
  }

  async list(
    downloadId: string,
    { status, known = false, after = -1, limit }: SetFileFilter,
  ): Promise<SetFile[]> {
    const rows = await this.database.run<SetFileRow>(sql`
      SELECT * FROM set_files
      WHERE download_id = ${downloadId} AND idx > ${after}
        ${status === undefined ? sql`` : sql`AND status = ${status}`}
        ${known ? sql`AND status <> 'pending'` : sql``}
      ORDER BY idx LIMIT ${limit}`);
    return rows.map(toSetFile);
  }

  async byPath(downloadId: string, path: string): Promise<SetFile | null> {
    const [row] = await this.database.run<SetFileRow>(sql`
      SELECT * FROM set_files WHERE download_id = ${downloadId} AND path = ${path}
      ORDER BY idx LIMIT 1`);
    return row ? toSetFile(row) : null;
  }

  async update(downloadId: string, changes: SetFileChange[]): Promise<void> {
    for (const batch of batches(changes)) {
      const rows = batch.map((change) => [
        change.index,
        change.status,
        "size" in change ? change.size : null,
        "mtimeNs" in change ? change.mtimeNs : null,
        "digest" in change ? change.digest : null,
        "readAt" in change ? change.readAt : null,
        "safeOffset" in change ? change.safeOffset : 0,
        "error" in change ? change.error.code : null,
        "error" in change ? change.error.message : null,
      ]);
      // A plain UPDATE would look through all rows of the set for each change.
      await this.database.run(sql`
        INSERT INTO set_files (download_id, client_id, idx, path, root, size, mtime_ns, place, status,
          digest, read_at, safe_offset, error_code, error)
        SELECT known.download_id, known.client_id, known.idx, known.path, known.root,
          COALESCE(value->>2, known.size), COALESCE(value->>3, known.mtime_ns), known.place,
          value->>1, value->>4, value->>5, value->>6, value->>7, value->>8
        FROM json_each(${JSON.stringify(rows)}) CROSS JOIN set_files AS known
          ON known.download_id = ${downloadId} AND known.idx = value->>0
        WHERE TRUE
        ON CONFLICT (download_id, idx) DO UPDATE SET
          size = excluded.size, mtime_ns = excluded.mtime_ns, status = excluded.status,
          digest = excluded.digest, read_at = excluded.read_at,
          safe_offset = excluded.safe_offset, error_code = excluded.error_code,
          error = excluded.error`);
    }
  }

  async counts(downloadId: string) {
    const rows = await this.database.run<{
      status: SetFile["status"];
      files: number;
      bytes: number;
    }>(sql`
      SELECT status, COUNT(*) AS files, SUM(size) AS bytes FROM set_files
      WHERE download_id = ${downloadId} GROUP BY status`);
    const of = (status: SetFile["status"]) => rows.find((row) => row.status === status);
    const files = (status: SetFile["status"]) => Number(of(status)?.files ?? 0);
    const bytes = (status: SetFile["status"]) => Number(of(status)?.bytes ?? 0);
    const counts: SetCounts = {
      total: rows.reduce((sum, row) => sum + Number(row.files), 0),
      received: files("received"),
      unchanged: files("unchanged"),
      skipped: files("skipped"),
    };
    const bytesReceived = bytes("received");
    return { ...counts, bytesReceived, bytesListed: bytesReceived + bytes("pending") };
  }

  async twins(clientId: string, checksum: string, files: SetFile[]): Promise<StoredTwin[]> {
    const wanted = files.map(({ index, path, size, mtimeNs }) => [index, path, size, mtimeNs]);
    const rows = await this.database.run<{
      index: number;
      folder: string;
      place: string;
      digest: string;
      readAt: number;
    }>(sql`
      SELECT value->>0 AS "index", stored.place, stored.digest, stored.read_at,
        downloads.saved_path AS folder
      FROM json_each(${JSON.stringify(wanted)})
      JOIN set_files AS stored ON stored.rowid = (
        SELECT twin.rowid FROM set_files AS twin
        JOIN downloads AS whole ON whole.download_id = twin.download_id
        WHERE twin.client_id = ${clientId} AND twin.path = value->>1 AND twin.size = value->>2
          AND twin.mtime_ns = value->>3 AND twin.status IN ('received', 'unchanged')
          AND CAST(twin.mtime_ns AS INTEGER) / 1000000 + ${SETTLED_MS} <= twin.read_at
          AND whole.status = 'completed' AND whole.checksum = ${checksum}
        ORDER BY twin.download_id DESC LIMIT 1)
      JOIN downloads ON downloads.download_id = stored.download_id`);
    return rows.map(({ index, folder, place, digest, readAt }) => ({
      index: Number(index),
      savedPath: `${folder}/${place}`,
      digest,
      readAt: Number(readAt),
    }));
  }
}

function toSetFile(row: SetFileRow): SetFile {
  return {
    index: Number(row.idx),
    path: row.path,
    root: Number(row.root),
    size: Number(row.size),
    mtimeNs: row.mtimeNs,
    place: row.place,
    status: row.status,
    digest: row.digest,
    safeOffset: Number(row.safeOffset),
    error: row.errorCode && { code: row.errorCode, message: row.error ?? "" },
  };
}

function* batches<T>(items: T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += BATCH) yield items.slice(at, at + BATCH);
}
