import { Database } from "bun:sqlite";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import type { System } from "./system.ts";

/** A download as it is recorded, whether the server runs, is broken or is killed. */
export interface Row {
  download_id: string;
  file_path: string;
  status: DownloadRecord["status"];
  safe_offset: number;
  total_size: number | null;
  saved_path: string | null;
}

/** Every download of a system, by its id; nothing of the database is changed by looking at it. */
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
