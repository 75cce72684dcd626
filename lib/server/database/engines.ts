import { perEngine, sql, Statement } from "./statement.ts";

/* Pieces of SQL that differ between SQLite and Postgres. All other statements are the same for both. */

/**
 * Returns SQL for a table, with the index that SQLite must use, as it might not choose that index by itself.
 * Postgres chooses by its statistics.
 */
export function indexed(table: string, index: string): Statement {
  return perEngine({
    sqlite: new Statement([`${table} INDEXED BY ${index}`], []),
    postgres: () => new Statement([table], []),
  });
}

/**
 * Returns SQL for a column that SQLite must not look up by an index. A plus sign before the column prevents
 * this.
 */
export function unindexed(column: string): Statement {
  return perEngine({
    sqlite: new Statement([`+${column}`], []),
    postgres: () => new Statement([column], []),
  });
}

/**
 * Returns SQL for a table with one column `value`, which has a row for each id. All ids are passed as one
 * parameter.
 */
export function tableOfIds(ids: Iterable<string>): Statement {
  const list = [...ids];
  return perEngine({
    sqlite: sql`json_each(${JSON.stringify(list)})`,
    postgres: () => sql`json_array_elements_text(${storableJson(list)}::text::json) AS ids (value)`,
  });
}

/**
 * Returns SQL for a table with one column `value`, which has a row for each array. `value->>0` is the first
 * item of the array, as text.
 */
export function tableOfArrays(arrays: readonly (readonly (string | number | null)[])[]): Statement {
  return perEngine({
    sqlite: sql`json_each(${JSON.stringify(arrays)})`,
    postgres: () => sql`json_array_elements(${storableJson(arrays)}::text::json) AS arrays (value)`,
  });
}

/** Replaces characters that Postgres cannot store in a text: NUL and lone surrogates. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

function storableJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "string" ? storable(part) : part,
  );
}

/**
 * Returns a clause that joins each row of the preceding table with the ids of some downloads, as
 * `own.download_id`.
 * @param ids query that selects the `download_id`s for a row, and may use columns of the preceding table
 */
export function downloadsOfEach(ids: Statement): Statement {
  return perEngine({
    // CROSS makes SQLite keep the order of the two tables.
    sqlite: sql`CROSS JOIN downloads AS own ON own.download_id IN (${ids})`,
    postgres: () => sql`CROSS JOIN LATERAL (${ids}) AS own`,
  });
}

/**
 * Returns an SQL expression for the new revision of a row that a statement changes. No other change of any
 * download has the same revision.
 * @param before number of rows that the same statement changes before this row
 */
export function nextRevision(before = 0): Statement {
  return perEngine({
    sqlite: sql`(SELECT COALESCE(MAX(revision), 0) + ${1 + before} FROM downloads)`,
    postgres: () => sql`next_revision()`,
  });
}

/**
 * Returns a query for `latest`, a revision up to which all changes are visible. A reader that has read the
 * changes up to this revision, and next reads those after it, misses no change.
 */
export function settledRevision(): Statement {
  return perEngine({
    sqlite: sql`SELECT COALESCE(MAX(revision), 0) AS latest FROM downloads`,
    postgres: () => sql`SELECT settled_revision() AS latest`,
  });
}

/**
 * Returns an SQL expression for the number of a client's running downloads. In Postgres, other statements
 * that count the same client's downloads wait until this statement has ended. SQLite runs one statement at a
 * time anyway.
 */
export function activeOf(clientId: string): Statement {
  return perEngine({
    sqlite: sql`(SELECT COUNT(*) FROM downloads
      WHERE status IN ('downloading', 'verifying') AND client_id = ${clientId})`,
    postgres: () => sql`(SELECT active_of(${clientId}))`,
  });
}

/**
 * Returns an SQL expression for the number of a job's running downloads. In Postgres, it locks in the same
 * way as {@link activeOf}.
 * @param counted expression for this number, for SQLite
 */
export function activeOfJob(jobId: string, counted: Statement): Statement {
  return perEngine({ sqlite: counted, postgres: () => sql`(SELECT active_of_job(${jobId}))` });
}

/**
 * Returns a condition that an attempt is the latest of its download. In Postgres, no further attempt can
 * begin until the statement has ended. In SQLite it is always true, as the only server knows which attempt is
 * the latest.
 */
export function isLatest({ downloadId, epoch }: { downloadId: string; epoch: number }): Statement {
  return perEngine({
    sqlite: sql`TRUE`,
    postgres: () => sql`EXISTS (SELECT 1 FROM downloads
      WHERE download_id = ${downloadId} AND epoch = ${epoch} FOR SHARE)`,
  });
}

/** Returns a clause that makes a query skip rows that another statement is changing. */
export function skipLocked(): Statement {
  return perEngine({ sqlite: sql``, postgres: () => sql`FOR UPDATE SKIP LOCKED` });
}
