import { Database } from "bun:sqlite";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import type { System } from "./system.ts";

/** The used columns of a download's row in SQLite. */
export interface Row {
  download_id: string;
  file_path: string;
  status: DownloadRecord["status"];
  safe_offset: number;
  total_size: number | null;
  saved_path: string | null;
}

/**
 * Reads the rows of all downloads, by id. The database is opened read-only, so the server may run meanwhile.
 */
export function rowsOf({ databaseFile }: System): Map<string, Row> {
  using database = new Database(databaseFile, { readonly: true });
  database.run("PRAGMA busy_timeout = 5000");
  const rows = database
    .query<Row, []>(
      "SELECT download_id, file_path, status, safe_offset, total_size, saved_path FROM downloads",
    )
    .all();
  return new Map(rows.map((row) => [row.download_id, row]));
}
