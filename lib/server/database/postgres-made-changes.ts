import { type RawRow, stateOf } from "./postgres-connection.ts";
import type { PostgresPool } from "./postgres-pool.ts";
import type { Value } from "./statement.ts";

/** Number of marks after which those that are no longer needed are removed. */
const FORGOTTEN_AFTER = 500;

/** How long marks are kept of servers that ended before removing them, in ms. */
const KEPT_MS = 86_400_000;

/**
 * The changes of this server. Each has a number, under which its answer is stored until it has been
 * received.
 */
export class MadeChanges {
  readonly #server = Bun.randomUUIDv7();
  /** The latest number. */
  #number = 0;
  /** Numbers of unfinished changes, earliest first. */
  readonly #underWay = new Set<number>();
  #known = 0;

  private constructor(private readonly pool: PostgresPool) {}

  static async begin(pool: PostgresPool): Promise<MadeChanges> {
    await pool.use((connection) =>
      connection.query("DELETE FROM made_changes WHERE made_at < $1", [Date.now() - KEPT_MS]),
    );
    return new MadeChanges(pool);
  }

  next(): MadeChange {
    const number = ++this.#number;
    this.#underWay.add(number);
    return new MadeChange(this.pool, this.#server, number, () => {
      this.#underWay.delete(number);
      if (++this.#known % FORGOTTEN_AFTER === 0) void this.forgetAll();
    });
  }

  /** Removes the marks that are no longer needed, if Postgres answers. */
  async forgetAll(): Promise<void> {
    const [earliest = this.#number + 1] = this.#underWay;
    const text = "DELETE FROM made_changes WHERE server = $1 AND number < $2";
    const values = [this.#server, earliest];
    await this.pool
      .use((connection) => connection.query(text, values))
      // They are removed the next time.
      .catch(() => undefined);
  }
}

/** One change, which is made at most once, however often it is tried. */
export class MadeChange {
  constructor(
    private readonly pool: PostgresPool,
    private readonly server: string,
    private readonly number: number,
    /** Called when its answer was received, so that its mark is no longer needed. */
    readonly forget: () => void,
  ) {}

  /**
   * @param isAgain whether an earlier try may have made it without an answer
   * @returns the answer of the change, from this or the earlier try
   */
  async make(text: string, values: readonly Value[], isAgain: boolean): Promise<RawRow[]> {
    if (!isAgain) return this.#make(text, values);
    const before = await this.#answer();
    if (before) return before;
    try {
      const rows = await this.#make(text, values);
      // The earlier try may have ended just now.
      return rows.length > 0 ? rows : ((await this.#answer()) ?? rows);
    } catch (error) {
      const late = stateOf(error) === UNIQUE_VIOLATION ? await this.#answer() : null;
      if (late) return late;
      throw error;
    }
  }

  #make(text: string, values: readonly Value[]): Promise<RawRow[]> {
    const marked = markedOf(text, values.length);
    const own = [this.server, this.number, Date.now()];
    return this.pool.use((connection) => connection.query(marked, [...values, ...own]));
  }

  /** Its answer; null: no try has made it. */
  async #answer(): Promise<RawRow[] | null> {
    const text = "SELECT answer FROM made_changes WHERE server = $1 AND number = $2";
    const values = [this.server, this.number];
    const [mark] = await this.pool.use((connection) => connection.query(text, values));
    return mark ? (JSON.parse(String(mark["answer"])) as RawRow[]) : null;
  }
}

const UNIQUE_VIOLATION = "23505";

/** A change and its mark in one statement. @param count of the change's own parameters */
function markedOf(text: string, count: number): string {
  const own = `$${count + 1}, $${count + 2}::bigint, $${count + 3}::bigint`;
  if (!text.includes("RETURNING")) {
    return `WITH change AS (${text}) INSERT INTO made_changes VALUES (${own}, '[]')`;
  }
  return `WITH change AS (${text}), mark AS (
      INSERT INTO made_changes SELECT ${own}, json_agg(change)::text FROM change HAVING COUNT(*) > 0
    ) SELECT * FROM change`;
}
