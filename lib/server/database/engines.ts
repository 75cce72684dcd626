import { ofEach, sql, Statement } from "./statement.ts";

/* Where SQLite and Postgres need different SQL. Everything else is the same text for both. */

/**
 * A table for which SQLite has to use an index that it would not choose itself. Postgres chooses by its
 * statistics.
 */
export function indexed(table: string, index: string): Statement {
  return ofEach({
    sqlite: new Statement([`${table} INDEXED BY ${index}`], []),
    postgres: () => new Statement([table], []),
  });
}

/** A column that SQLite must not look up by an index: a plus hides it. */
export function unindexed(column: string): Statement {
  return ofEach({
    sqlite: new Statement([`+${column}`], []),
    postgres: () => new Statement([column], []),
  });
}

/** A list of ids as a table with one column, `value`: a single parameter, however long the list. */
export function idsOf(ids: Iterable<string>): Statement {
  const list = [...ids];
  return ofEach({
    sqlite: sql`json_each(${JSON.stringify(list)})`,
    postgres: () => sql`json_array_elements_text(${storableJson(list)}::text::json) AS ids (value)`,
  });
}

/** Arrays as a table with one column, `value`, of which `value->>0` is the first item, as a text. */
export function arraysOf(arrays: readonly (readonly (string | number | null)[])[]): Statement {
  return ofEach({
    sqlite: sql`json_each(${JSON.stringify(arrays)})`,
    postgres: () => sql`json_array_elements(${storableJson(arrays)}::text::json) AS arrays (value)`,
  });
}

/** Replaces the characters that Postgres cannot store in a text: NUL and lone surrogates. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

function storableJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "string" ? storable(part) : part,
  );
}

/**
 * Joins the downloads of each preceding row, as `own`.
 * @param ids selects their `download_id`s, and may refer to columns of that row
 */
export function downloadsOfEach(ids: Statement): Statement {
  return ofEach({
    // With CROSS, SQLite keeps the order of the two tables.
    sqlite: sql`CROSS JOIN downloads AS own ON own.download_id IN (${ids})`,
    postgres: () => sql`CROSS JOIN LATERAL (${ids}) AS own`,
  });
}

/**
 * The number of a change, used in the statement that makes it. No two changes get the same.
 * @param before number of changes before it that the same statement makes
 */
export function nextRevision(before = 0): Statement {
  return ofEach({
    sqlite: sql`(SELECT COALESCE(MAX(revision), 0) + ${1 + before} FROM downloads)`,
    postgres: () => sql`next_revision()`,
  });
}

/** Selects `latest`, a revision up to which no further change can appear. */
export function settledRevision(): Statement {
  return ofEach({
    sqlite: sql`SELECT COALESCE(MAX(revision), 0) AS latest FROM downloads`,
    postgres: () => sql`SELECT settled_revision() AS latest`,
  });
}

/**
 * Number of a client's running downloads. Other statements that need it wait until this one has ended; in
 * SQLite all statements do anyway.
 */
export function activeOf(clientId: string): Statement {
  return ofEach({
    sqlite: sql`(SELECT COUNT(*) FROM downloads
      WHERE status IN ('downloading', 'verifying') AND client_id = ${clientId})`,
    postgres: () => sql`(SELECT active_of(${clientId}))`,
  });
}

/** The same for a job. @param counted the count for SQLite */
export function activeOfJob(jobId: string, counted: Statement): Statement {
  return ofEach({ sqlite: counted, postgres: () => sql`(SELECT active_of_job(${jobId}))` });
}

/**
 * Whether an attempt is the latest of its download; no other one begins until the statement has ended.
 * SQLite has a single server, which knows.
 */
export function isLatest({ downloadId, epoch }: { downloadId: string; epoch: number }): Statement {
  return ofEach({
    sqlite: sql`TRUE`,
    postgres: () => sql`EXISTS (SELECT 1 FROM downloads
      WHERE download_id = ${downloadId} AND epoch = ${epoch} FOR SHARE)`,
  });
}

/** Makes a statement skip rows that another one is about to change. */
export function skipTaken(): Statement {
  return ofEach({ sqlite: sql``, postgres: () => sql`FOR UPDATE SKIP LOCKED` });
}
