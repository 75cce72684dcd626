import type { DownloadErrorCode } from "../../protocol/errors.ts";
import { atOnce, type InTurn, pauses } from "../../util/fair-turns.ts";
import { garbage } from "../../util/garbage.ts";
import type {
  ListedFile,
  SetAttempt,
  SetFile,
  SetFileChange,
  SetFileFilter,
  SetRows,
  SetSum,
  StoredTwin,
} from "../set.ts";
import type { SqlDatabase } from "./database.ts";
import { tableOfArrays, indexed, isLatest } from "./engines.ts";
import { handOverOf, ID_LENGTH, inheritedOf, COUNTS_FOR_SET } from "./set-heirs-sql.ts";
import { sql, Statement } from "./statement.ts";

/** Number of set files' rows that one statement writes. It blocks the event loop for some milliseconds. */
const BATCH = 100;
/** Number of set files' rows that one statement reads. It blocks the event loop for about a millisecond. */
const SLICE = 1_000;
/**
 * A file may count as unchanged later only if it was read at least this long after its last change, in ms.
 * Otherwise another change may have left its modification time the same.
 */
const SETTLED_MS = 2_000;

/** Returns an SQL expression for an item of an array in {@link tableOfArrays}, as a number. */
const integer = (item: number) => new Statement([`CAST(value->>${item} AS BIGINT)`], []);

/** Returns an SQL expression for an item of an array in {@link tableOfArrays}, as a text. */
const text = (item: number) => new Statement([`value->>${item}`], []);

/** A row of a set's file. */
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

/**
 * Reads and writes the rows of sets' files. A set may have very many files, so their rows are written in
 * batches and read in slices, with other work in between. The rows of a batch are passed to one statement as
 * JSON.
 */
export class SetRowsSql implements SetRows {
  /**
   * Waits for the next round of the event loop if at least 2 ms have passed since it last did so. Called
   * before each batch and each slice.
   */
  readonly #pause = pauses();

  constructor(private readonly database: SqlDatabase) {}

  async insert(attempt: SetAttempt, clientId: string, files: ListedFile[]): Promise<void> {
    const { downloadId } = attempt;
    for await (const batch of this.#batches(files)) {
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
        SELECT ${downloadId}, ${clientId}, ${integer(0)}, value->>1, ${integer(2)}, ${integer(3)},
          value->>4, value->>5, value->>6, value->>7, value->>8
        FROM ${tableOfArrays(rows)} WHERE ${isLatest(attempt)}`);
    }
  }

  async clear(attempt: SetAttempt): Promise<void> {
    const { downloadId } = attempt;
    for (let deleted = BATCH; deleted === BATCH;) {
      await this.#pause();
      const rows = await this.database.run(sql`
        DELETE FROM set_files WHERE download_id = ${downloadId} AND idx IN (
          SELECT idx FROM set_files WHERE download_id = ${downloadId} ORDER BY idx LIMIT ${BATCH})
          AND ${isLatest(attempt)}
        RETURNING idx`);
      deleted = rows.length;
    }
  }

  async list(
    downloadId: string,
    { status, known = false, after = -1, limit }: SetFileFilter,
    inTurn: InTurn = atOnce,
  ): Promise<SetFile[]> {
    const found: SetFile[] = [];
    for await (const slice of this.#slices(downloadId, after)) {
      const passing = sql`
        SELECT * FROM set_files
        WHERE ${slice}
          ${status === undefined ? sql`` : sql`AND status = ${status}`}
          ${known ? sql`AND status <> 'pending'` : sql``}
        ORDER BY idx LIMIT ${limit - found.length}`;
      const rows = await inTurn(() => this.database.run<SetFileRow>(passing));
      found.push(...rows.map(toSetFile));
      garbage.add(rows.length);
      if (found.length === limit) break;
    }
    return found;
  }

  async *sums(downloadId: string): AsyncGenerator<SetSum[]> {
    for await (const slice of this.#slices(downloadId)) {
      const rows = await this.database.run<SetSum>(sql`
        SELECT place, digest FROM set_files
        WHERE ${slice} AND place IS NOT NULL AND digest IS NOT NULL ORDER BY idx`);
      yield rows;
      garbage.add(rows.length);
    }
  }

  /**
   * Yields conditions for slices of rows, which together cover all files of a set with a greater index than
   * `after`.
   */
  async *#slices(downloadId: string, after = -1): AsyncGenerator<Statement> {
    const [row] = await this.database.run<{ last: number | null }>(sql`
      SELECT MAX(idx) AS last FROM set_files WHERE download_id = ${downloadId}`);
    for (let from = after; from < Number(row?.last ?? -1); from += SLICE) {
      await this.#pause();
      yield sql`download_id = ${downloadId} AND idx > ${from} AND idx <= ${from + SLICE}`;
    }
  }

  async storedByPath(downloadId: string, path: string): Promise<SetFile | null> {
    const [row] = await this.database.run<SetFileRow>(sql`
      SELECT * FROM ${indexed("set_files", "set_files_stored")}
      WHERE client_id = (SELECT client_id FROM downloads WHERE download_id = ${downloadId})
        AND path = ${path} AND download_id = ${downloadId}
        AND status IN ('received', 'unchanged')
      ORDER BY idx LIMIT 1`);
    return row ? toSetFile(row) : null;
  }

  async update(attempt: SetAttempt, changes: SetFileChange[]): Promise<void> {
    const { downloadId } = attempt;
    for await (const batch of this.#batches(changes)) {
      const rows = batch.map((change) => [
        change.index,
        change.status,
        "size" in change ? change.size : null,
        "mtimeNs" in change ? change.mtimeNs : null,
        "digest" in change ? change.digest : null,
        "readAt" in change ? change.readAt : null,
        "durableOffset" in change ? change.durableOffset : 0,
        "error" in change ? change.error.code : null,
        "error" in change ? change.error.message : null,
      ]);
      // An upsert, because an UPDATE would search all rows of the set for each change.
      await this.database.run(sql`
        INSERT INTO set_files (download_id, client_id, idx, path, root, size, mtime_ns, place, status,
          digest, read_at, inherited, safe_offset, error_code, error)
        SELECT known.download_id, known.client_id, known.idx, known.path, known.root,
          COALESCE(${integer(2)}, known.size), COALESCE(value->>3, known.mtime_ns), known.place,
          value->>1, value->>4, ${integer(5)},
          CASE WHEN value->>1 = 'unchanged' THEN ${inheritedOf(text(4), integer(5))} END,
          ${integer(6)}, value->>7, value->>8
        FROM ${tableOfArrays(rows)} CROSS JOIN set_files AS known
        WHERE known.download_id = ${downloadId} AND known.idx = ${integer(0)}
          AND ${isLatest(attempt)}
        ON CONFLICT (download_id, idx) DO UPDATE SET
          size = excluded.size, mtime_ns = excluded.mtime_ns, status = excluded.status,
          digest = excluded.digest, read_at = excluded.read_at,
          inherited = excluded.inherited, safe_offset = excluded.safe_offset, error_code = excluded.error_code,
          error = excluded.error`);
    }
  }

  async counts(downloadId: string) {
    const none = () => ({ pending: 0, received: 0, unchanged: 0, skipped: 0 });
    const [files, bytes] = [none(), none()];
    for await (const slice of this.#slices(downloadId)) {
      const rows = await this.database.run<{
        status: SetFile["status"];
        files: number;
        bytes: number;
      }>(sql`
        SELECT status, COUNT(*) AS files, SUM(size) AS bytes FROM set_files
        WHERE ${slice} GROUP BY status`);
      for (const row of rows) {
        files[row.status] += Number(row.files);
        bytes[row.status] += Number(row.bytes);
      }
    }
    const { pending, ...known } = files;
    const total = pending + known.received + known.unchanged + known.skipped;
    const bytesListed = bytes.received + bytes.pending;
    return { ...known, total, bytesReceived: bytes.received, bytesListed };
  }

  async storedBytes(downloadId: string, sharesBytes: boolean): Promise<number> {
    const isCounted = sharesBytes ? COUNTS_FOR_SET : sql`status IN ('received', 'unchanged')`;
    let sum = 0;
    for await (const slice of this.#slices(downloadId)) {
      const [row] = await this.database.run<{ bytes: number | null }>(sql`
        SELECT SUM(size) AS bytes FROM set_files WHERE ${slice} AND ${isCounted}`);
      sum += Number(row?.bytes ?? 0);
    }
    return sum;
  }

  async handOver(downloadId: string): Promise<void> {
    const heirs = new Set<string>();
    for await (const slice of this.#slices(downloadId)) {
      const rows = await this.database.run<{ downloadId: string }>(handOverOf(downloadId, slice));
      for (const row of rows) heirs.add(row.downloadId);
    }
    for (const heir of heirs) await this.countAgain(heir);
  }

  async countAgain(downloadId: string): Promise<void> {
    const bytes = await this.storedBytes(downloadId, true);
    await this.database.run(sql`
      UPDATE downloads SET stored_bytes = ${bytes}
      WHERE download_id = ${downloadId} AND status = 'completed'`);
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
      WITH found AS MATERIALIZED (
        SELECT ${integer(0)} AS wanted, (
          SELECT twin.download_id || twin.idx FROM set_files AS twin
          JOIN downloads AS whole ON whole.download_id = twin.download_id
          WHERE twin.client_id = ${clientId} AND twin.path = value->>1 AND twin.size = ${integer(2)}
            AND twin.mtime_ns = value->>3 AND twin.status IN ('received', 'unchanged')
            AND CAST(twin.mtime_ns AS BIGINT) / 1000000 + ${SETTLED_MS} <= twin.read_at
            AND whole.status = 'completed' AND whole.removed_at IS NULL
            AND whole.checksum = ${checksum}
          ORDER BY twin.download_id DESC LIMIT 1) AS twin
        FROM ${tableOfArrays(wanted)}
      )
      SELECT wanted AS "index", stored.place, stored.digest, stored.read_at,
        downloads.saved_path AS folder
      FROM found
      JOIN set_files AS stored ON stored.download_id = substr(twin, 1, ${ID_LENGTH})
        AND stored.idx = CAST(substr(twin, ${ID_LENGTH + 1}) AS BIGINT)
      JOIN downloads ON downloads.download_id = stored.download_id`);
    return rows.map(({ index, folder, place, digest, readAt }) => ({
      index: Number(index),
      savedPath: `${folder}/${place}`,
      digest,
      readAt: Number(readAt),
    }));
  }

  async *#batches<T>(items: T[]): AsyncGenerator<T[]> {
    for (let at = 0; at < items.length; at += BATCH) {
      await this.#pause();
      const batch = items.slice(at, at + BATCH);
      yield batch;
      garbage.add(batch.length);
    }
  }
}

function toSetFile(row: SetFileRow): SetFile {
  return {
    index: Number(row.idx),
    path: row.path,
    root: Number(row.root),
    size: Number(row.size),
    mtimeNs: row.mtimeNs,
    // `place` usually equals `path`. Then one string is kept instead of two, to save memory.
    place: row.place === row.path ? row.path : row.place,
    status: row.status,
    digest: row.digest,
    durableOffset: Number(row.safeOffset),
    error: row.errorCode && { code: row.errorCode, message: row.error ?? "" },
  };
}
