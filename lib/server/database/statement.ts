/** A value of a column. */
export type Value = string | number | null;

/** A row to be written. Its fields are in camelCase, and the columns in the database in snake_case. */
export type NewRow<Row> = { readonly [Column in keyof Row]: Value | Statement };

/**
 * An SQL statement, or a piece of one. Values are kept apart from the text, as parameters. So a statement has
 * the same text each time, and is prepared only once.
 */
export class Statement {
  /**
   * Creates a statement.
   * @param texts the text before, between and behind the values, one more than there are values
   * @param values the parameters
   * @param inPostgres returns the version for Postgres, if it differs
   */
  constructor(
    readonly texts: readonly string[],
    readonly values: readonly Value[],
    private readonly inPostgres?: () => Statement,
  ) {}

  get isPortable(): boolean {
    return this.inPostgres === undefined;
  }

  /** The version for Postgres. The texts of this object itself are for SQLite. */
  get forPostgres(): Statement {
    return this.inPostgres?.() ?? this;
  }
}

/** Returns a statement whose text differs between SQLite and Postgres. */
export function perEngine(versions: { sqlite: Statement; postgres: () => Statement }): Statement {
  const { texts, values } = versions.sqlite;
  return new Statement(texts, values, () => versions.postgres().forPostgres);
}

/**
 * Template tag for a statement: `` sql`SELECT … WHERE client_id = ${clientId} ${otherPiece}` ``. Values
 * become parameters, and statements become part of the text.
 */
export function sql(
  texts: readonly string[],
  ...inserted: readonly (Value | Statement)[]
): Statement {
  return joined(texts, inserted);
}

/**
 * Joins texts with values or statements between them.
 * @param texts one more than there are inserted pieces
 */
function joined(texts: readonly string[], inserted: readonly (Value | Statement)[]): Statement {
  const joinedTexts: string[] = [];
  const values: Value[] = [];
  let isPortable = true;
  let last = texts[0] ?? "";
  for (const [index, piece] of inserted.entries()) {
    if (piece instanceof Statement) {
      isPortable &&= piece.isPortable;
      for (const [at, text] of piece.texts.entries()) {
        if (at === 0) last += text;
        else {
          joinedTexts.push(last);
          last = text;
        }
      }
      for (const value of piece.values) values.push(value);
    } else {
      values.push(piece);
      joinedTexts.push(last);
      last = "";
    }
    last += texts[index + 1] ?? "";
  }
  joinedTexts.push(last);
  if (isPortable) return new Statement(joinedTexts, values);
  return new Statement(joinedTexts, values, () => joined(texts, inserted.map(forPostgres)));
}

function forPostgres(piece: Value | Statement): Value | Statement {
  return piece instanceof Statement ? piece.forPostgres : piece;
}

/** Joins pieces by commas. */
export function list(pieces: readonly (Value | Statement)[]): Statement {
  const texts = pieces.map((_, index) => (index > 0 ? ", " : ""));
  return joined([...texts, ""], pieces);
}

/**
 * Returns the rest of an INSERT behind the name of the table: `(client_id, …) VALUES (…), …`.
 * @param rows at least one, all with the same columns
 */
export function insertion<Row extends NewRow<Row>>(...rows: readonly Row[]): Statement {
  const names = Object.keys(rows[0] ?? {}) as (keyof Row & string)[];
  const texts: string[] = [];
  const values: (Value | Statement)[] = [];
  for (const row of rows) {
    for (const [index, name] of names.entries()) {
      texts.push(index > 0 ? ", " : "), (");
      values.push(row[name]);
    }
  }
  texts[0] = `(${names.map(columnOf).join(", ")}) VALUES (`;
  return joined([...texts, ")"], values);
}

/** Returns the assignments of an UPDATE: `client_id = …, …`. */
export function assignments<Row extends NewRow<Row>>(row: Row): Statement {
  const texts = Object.keys(row).map(
    (name, index) => `${index > 0 ? ", " : ""}${columnOf(name)} = `,
  );
  return joined([...texts, ""], Object.values<Value | Statement>(row));
}

/** Cache of the names of columns. The key is the name of the field. It has a few hundred entries at most. */
const columns = new Map<string, string>();

/** Returns the name of a field's column. Names come only from this program, never from a request. */
function columnOf(name: string): string {
  const known = columns.get(name);
  if (known !== undefined) return known;
  const column = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  columns.set(name, column);
  return column;
}

/** Returns the name of a column's field: `client_id` becomes `clientId`. */
export function fieldOf(column: string): string {
  return column.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
