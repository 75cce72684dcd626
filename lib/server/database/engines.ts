import { ofEach, sql, Statement } from "./statement.ts";

/* What SQLite and Postgres have to be told in different words. All else is one text for both. */

/**
 * A table of which SQLite is to use an index, which it would not choose by itself; Postgres keeps
 * statistics, and does.
 */
export function indexed(table: string, index: string): Statement {
  return ofEach({
    sqlite: new Statement([`${table} INDEXED BY ${index}`], []),
    postgres: () => new Statement([table], []),
  });
}

/** A column by which SQLite is not to choose an index: there a plus hides it. */
export function unindexed(column: string): Statement {
  return ofEach({
    sqlite: new Statement([`+${column}`], []),
    postgres: () => new Statement([column], []),
  });
}

/** A list of ids as a table with the one column `value`: one parameter, however many there are. */
export function idsOf(ids: Iterable<string>): Statement {
  const list = [...ids];
  return ofEach({
    sqlite: sql`json_each(${JSON.stringify(list)})`,
    postgres: () => sql`json_array_elements_text(${storableJson(list)}::text::json) AS ids (value)`,
  });
}

/** Arrays as a table with the one column `value`, of which `value->>0` is the first item, a text. */
export function arraysOf(arrays: readonly (readonly (string | number | null)[])[]): Statement {
  return ofEach({
    sqlite: sql`json_each(${JSON.stringify(arrays)})`,
    postgres: () => sql`json_array_elements(${storableJson(arrays)}::text::json) AS arrays (value)`,
  });
}

/** What a text of Postgres cannot have, NUL and half characters, has another character instead. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

function storableJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "string" ? storable(part) : part,
  );
}

/**
 * Joins the downloads, as `own`, that a statement gives for each row before it.
 * @param ids what gives `download_id`s, and may name columns of that row
 */
export function downloadsOfEach(ids: Statement): Statement {
  return ofEach({
    // With CROSS, SQLite keeps the order of the two.
    sqlite: sql`CROSS JOIN downloads AS own ON own.download_id IN (${ids})`,
    postgres: () => sql`CROSS JOIN LATERAL (${ids}) AS own`,
  });
}

/** The number of a change, part of the statement that makes it: no other one gets the same. */
export function nextRevision(): Statement {
  return ofEach({
    sqlite: sql`(SELECT COALESCE(MAX(revision), 0) + 1 FROM downloads)`,
    postgres: () => sql`next_revision()`,
  });
}

/** Gives `latest`, the number of a change up to which no other one will come any more. */
export function settledRevision(): Statement {
  return ofEach({
    sqlite: sql`SELECT COALESCE(MAX(revision), 0) AS latest FROM downloads`,
    postgres: () => sql`SELECT settled_revision() AS latest`,
  });
}

/**
 * How many downloads of a client run; whoever else wants to know waits until the statement has ended.
 * In SQLite all statements do.
 */
export function activeOf(clientId: string): Statement {
  return ofEach({
    sqlite: sql`(SELECT COUNT(*) FROM downloads
      WHERE status IN ('downloading', 'verifying') AND client_id = ${clientId})`,
    postgres: () => sql`(SELECT active_of(${clientId}))`,
  });
}

/** The same for a job. @param counted counts them in SQLite */
export function activeOfJob(jobId: string, counted: Statement): Statement {
  return ofEach({ sqlite: counted, postgres: () => sql`(SELECT active_of_job(${jobId}))` });
}

/**
 * Whether an attempt is still the latest of its download; no other one begins until the statement has
 * ended. SQLite has one server, which knows.
 */
export function isLatest({ downloadId, epoch }: { downloadId: string; epoch: number }): Statement {
  return ofEach({
    sqlite: sql`TRUE`,
    postgres: () => sql`EXISTS (SELECT 1 FROM downloads
      WHERE download_id = ${downloadId} AND epoch = ${epoch} FOR SHARE)`,
  });
}

/** Keeps a statement off rows that another one is about to change. */
export function skipTaken(): Statement {
  return ofEach({ sqlite: sql``, postgres: () => sql`FOR UPDATE SKIP LOCKED` });
}
