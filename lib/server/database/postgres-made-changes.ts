import { type RawRow, stateOf } from "./postgres-connection.ts";
import type { PostgresPool } from "./postgres-pool.ts";
import type { Value } from "./statement.ts";

/** Number of marks after which those that are no longer needed are removed. */
const FORGOTTEN_AFTER = 500;

/**
 * How long the mark of a change that was tried more than once is kept, in ms. While the network drops
 * everything, the system goes on sending what a connection was given, also after it was closed, for up to 15
 * minutes. So an earlier try may arrive long after a later one was answered.
 */
const LATE_MS = 1_200_000;

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
  /** When each change that was tried more than once was answered, by `performance.now`, earliest first. */
  readonly #late = new Map<number, number>();
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
    return new MadeChange(this.pool, this.#server, number, (isAgain) => {
      this.#underWay.delete(number);
      if (isAgain) this.#late.set(number, performance.now());
      if (++this.#known % FORGOTTEN_AFTER === 0) void this.forgetAll();
    });
  }

  /** Removes the marks that are no longer needed, if Postgres answers. */
  async forgetAll(): Promise<void> {
    const [earliest = this.#number + 1] = this.#underWay;
    const text = `DELETE FROM made_changes WHERE server = $1 AND number < $2 AND number NOT IN (
      SELECT late::bigint FROM json_array_elements_text($3::text::json) late)`;
    const values = [this.#server, earliest, JSON.stringify(this.#kept())];
    await this.pool
      .use((connection) => connection.query(text, values))
      // They are removed the next time.
      .catch(() => undefined);
  }

  /** Numbers of changes of which an earlier try may still arrive. */
  #kept(): number[] {
    for (const [number, answeredAt] of this.#late) {
      if (performance.now() - answeredAt < LATE_MS) break;
      this.#late.delete(number);
    }
    return [...this.#late.keys()];
  }
}

/** One change, which is made at most once, however often it is tried. */
export class MadeChange {
  #isAgain = false;

  constructor(
    private readonly pool: PostgresPool,
    private readonly server: string,
    private readonly number: number,
    private readonly onAnswered: (isAgain: boolean) => void,
  ) {}

  /** Its answer was received, so its mark is no longer needed. */
  forget(): void {
    this.onAnswered(this.#isAgain);
  }

  /**
   * @param isAgain whether an earlier try may have made it without an answer
   * @returns the answer of the change, from this or the earlier try
   */
  async make(text: string, values: readonly Value[], isAgain: boolean): Promise<RawRow[]> {
    if (!isAgain) return this.#make(text, values);
    this.#isAgain = true;
    const before = await this.#answer();
    if (before) return before;
    try {
      const rows = await this.#make(text, values);
      if (rows.length > 0) return rows;
      // The earlier try may have ended just now. Where it has not, it is to change nothing later either.
      await this.#mark();
      return (await this.#answer()) ?? rows;
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

  /** Marks it as made, without a change, if no try has made it. */
  async #mark(): Promise<void> {
    const text = "INSERT INTO made_changes VALUES ($1, $2, $3, '[]') ON CONFLICT DO NOTHING";
    const values = [this.server, this.number, Date.now()];
    await this.pool.use((connection) => connection.query(text, values));
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
