import { ofEach, sql, Statement } from "./statement.ts";

/* What SQLite and Postgres have to be told in different words. All else is one text for both. */

/**
 * A table of which SQLite is to use an index, which it would not choose by itself; Postgres keeps
 * statistics, and does.
 */
export function indexed(table: string, index: string): Statement {
  return ofEach({
    sqlite: new Statement([`${table} INDEXED BY ${index}`], []),
    postgres: new Statement([table], []),
  });
}

/** A column by which SQLite is not to choose an index: there a plus hides it. */
export function unindexed(column: string): Statement {
  return ofEach({
    sqlite: new Statement([`+${column}`], []),
    postgres: new Statement([column], []),
  });
}

/** A list of ids as a table with the one column `value`: one parameter, however many there are. */
export function idsOf(ids: Iterable<string>): Statement {
  const json = JSON.stringify([...ids]);
  return ofEach({
    sqlite: sql`json_each(${json})`,
    postgres: sql`json_array_elements_text(${json}::text::json) AS ids (value)`,
  });
}

/** Arrays as a table with the one column `value`, of which `value->>0` is the first item, a text. */
export function arraysOf(arrays: readonly (readonly (string | number | null)[])[]): Statement {
  const json = JSON.stringify(arrays);
  return ofEach({
    sqlite: sql`json_each(${json})`,
    postgres: sql`json_array_elements(${json}::text::json) AS arrays (value)`,
  });
}

/**
 * Joins the downloads, as `own`, that a statement gives for each row before it.
 * @param ids what gives `download_id`s, and may name columns of that row
 */
export function downloadsOfEach(ids: Statement): Statement {
  return ofEach({
    // With CROSS, SQLite keeps the order of the two.
    sqlite: sql`CROSS JOIN downloads AS own ON own.download_id IN (${ids})`,
    postgres: sql`CROSS JOIN LATERAL (${ids}) AS own`,
  });
}
