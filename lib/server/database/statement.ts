/** A value of a column. */
export type Value = string | number | null;

/** A row to be written. Its columns are in camelCase, and in snake_case in the database. */
export type NewRow<Row> = { readonly [Column in keyof Row]: Value | Statement };

/**
 * A SQL statement, or a piece of one. Values are never part of the text, but stand between its pieces. So
 * the text is the same each time, and is prepared only once.
 */
export class Statement {
  /**
   * @param texts one more than there are values
   * @param inPostgres the version for Postgres, where it differs
   */
  constructor(
    readonly texts: readonly string[],
    readonly values: readonly Value[],
    private readonly inPostgres?: () => Statement,
  ) {}

  get isPortable(): boolean {
    return this.inPostgres === undefined;
  }

  /** The version for Postgres; the texts of this object are SQLite's. */
  get forPostgres(): Statement {
    return this.inPostgres?.() ?? this;
  }
}

/** A statement whose text differs between the two engines. */
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

/** Pieces in a row, separated by commas. */
export function list(pieces: readonly (Value | Statement)[]): Statement {
  const texts = ["", ...Array<string>(Math.max(0, pieces.length - 1)).fill(", "), ""];
  return pieces.length === 0 ? sql`` : sql(texts, ...pieces);
}

/** `(client_id, …) VALUES (…), …`. @param rows at least one, all with the same columns */
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

/** A column's name in the database. Names come from our code only, never from outside. */
function columnOf(name: string): Statement {
  return new Statement([name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)], []);
}

/** The field name of a column: `client_id` becomes `clientId`. */
export function fieldOf(column: string): string {
  return column.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
