/** What a column can hold. */
export type Value = string | number | null;

/** A row to be written: names of columns in camelCase, which the database has in snake_case. */
export type NewRow<Row> = { readonly [Column in keyof Row]: Value | Statement };

/**
 * A statement of SQL, or a piece of one: a value is never part of the text, but stands between two
 * texts. So the text of a statement is the same each time, and has to be prepared only once.
 */
export class Statement {
  /**
   * @param texts one more than there are values
   * @param inPostgres the same for Postgres, where that has other words for it
   */
  constructor(
    readonly texts: readonly string[],
    readonly values: readonly Value[],
    private readonly inPostgres?: () => Statement,
  ) {}

  get isPortable(): boolean {
    return this.inPostgres === undefined;
  }

  /** The same as Postgres has to be told it; the texts of this one are SQLite's. */
  get forPostgres(): Statement {
    return this.inPostgres?.() ?? this;
  }
}

/** What the two engines have different words for. */
export function ofEach(words: { sqlite: Statement; postgres: () => Statement }): Statement {
  const { texts, values } = words.sqlite;
  return new Statement(texts, values, () => words.postgres().forPostgres);
}

/** `` sql`SELECT … WHERE client_id = ${clientId} ${otherPiece}` `` */
export function sql(
  texts: readonly string[],
  ...inserted: readonly (Value | Statement)[]
): Statement {
  const all = [texts[0] ?? ""];
  const values: Value[] = [];
  for (const [index, value] of inserted.entries()) {
    if (value instanceof Statement) {
      const [first = "", ...rest] = value.texts;
      all[all.length - 1] += first;
      all.push(...rest);
      values.push(...value.values);
    } else {
      values.push(value);
      all.push("");
    }
    all[all.length - 1] += texts[index + 1] ?? "";
  }
  if (inserted.every(isPortable)) return new Statement(all, values);
  return new Statement(all, values, () => sql(texts, ...inserted.map(forPostgres)));
}

function isPortable(piece: Value | Statement): boolean {
  return !(piece instanceof Statement) || piece.isPortable;
}

function forPostgres(piece: Value | Statement): Value | Statement {
  return piece instanceof Statement ? piece.forPostgres : piece;
}

/** Pieces one after the other, with a comma between them. */
export function list(pieces: readonly (Value | Statement)[]): Statement {
  const texts = ["", ...Array<string>(Math.max(0, pieces.length - 1)).fill(", "), ""];
  return pieces.length === 0 ? sql`` : sql(texts, ...pieces);
}

/** `(client_id, …) VALUES (…), …`. @param rows all with the same columns, at least one */
export function insertion<Row extends NewRow<Row>>(...rows: readonly Row[]): Statement {
  const names = Object.keys(rows[0] ?? {}) as (keyof Row & string)[];
  const tuples = rows.map((row) => sql`(${list(names.map((name) => row[name]))})`);
  return sql`(${list(names.map(columnOf))}) VALUES ${list(tuples)}`;
}

/** `client_id = …, …` */
export function assignments<Row extends NewRow<Row>>(row: Row): Statement {
  const changes = Object.entries<Value | Statement>(row);
  return list(changes.map(([name, value]) => sql`${columnOf(name)} = ${value}`));
}

/** Names of columns are ours alone, and no text from outside. */
function columnOf(name: string): Statement {
  return new Statement([name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)], []);
}

/** The name of a column as rows have it: `client_id` is `clientId`. */
export function fieldOf(column: string): string {
  return column.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
