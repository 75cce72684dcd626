import { type RawRow, sqlStateOf } from "./postgres-connection.ts";
import type { PostgresPool } from "./postgres-pool.ts";
import type { Value } from "./statement.ts";

/** Number of changes after which stored results of finished changes are removed from the database. */
const FORGET_AFTER_CHANGES = 500;

/**
 * How long a stored result is kept if its change was tried more than once, in ms. If packets are lost, the
 * system resends the data of a connection for up to 15 minutes, even after the connection was closed. So an
 * earlier try may reach Postgres long after a later one was answered.
 */
const KEEP_RETRIED_MS = 1_200_000;

/** How long stored results of changes are kept, in ms, if their server ended without removing them. */
const KEEP_ABANDONED_MS = 86_400_000;

/**
 * Numbers the changes of this server. The result of each change is stored in the database under its number,
 * until the server has received the result.
 */
export class MadeChanges {
  readonly #server = Bun.randomUUIDv7();
  /** The number of the latest change. */
  #number = 0;
  /** Numbers of unfinished changes, earliest first. */
  readonly #underWay = new Set<number>();
  /**
   * When the changes that were tried more than once were answered, in ms of `performance.now`, earliest
   * first. The key is the number of the change.
   */
  readonly #retriedAnsweredAt = new Map<number, number>();
  #answeredCount = 0;

  private constructor(private readonly pool: PostgresPool) {}

  static async begin(pool: PostgresPool): Promise<MadeChanges> {
    await pool.use((connection) =>
      connection.query("DELETE FROM made_changes WHERE made_at < $1", [
        Date.now() - KEEP_ABANDONED_MS,
      ]),
    );
    return new MadeChanges(pool);
  }

  next(): MadeChange {
    const number = ++this.#number;
    this.#underWay.add(number);
    return new MadeChange(this.pool, this.#server, number, (isRetried) => {
      this.#underWay.delete(number);
      if (isRetried) this.#retriedAnsweredAt.set(number, performance.now());
      if (++this.#answeredCount % FORGET_AFTER_CHANGES === 0) void this.forgetAll();
    });
  }

  /** Removes the stored results that are no longer needed. Errors are ignored. */
  async forgetAll(): Promise<void> {
    const [earliest = this.#number + 1] = this.#underWay;
    const text = `DELETE FROM made_changes WHERE server = $1 AND number < $2 AND number NOT IN (
      SELECT late::bigint FROM json_array_elements_text($3::text::json) late)`;
    const values = [this.#server, earliest, JSON.stringify(this.#retriedNumbers())];
    await this.pool
      .use((connection) => connection.query(text, values))
      // After an error, the stored results are removed by the next call.
      .catch(() => undefined);
  }

  /** Returns the numbers of changes whose earlier tries may still reach Postgres. */
  #retriedNumbers(): number[] {
    for (const [number, answeredAt] of this.#retriedAnsweredAt) {
      if (performance.now() - answeredAt < KEEP_RETRIED_MS) break;
      this.#retriedAnsweredAt.delete(number);
    }
    return [...this.#retriedAnsweredAt.keys()];
  }
}

/** One change, which is made at most once, however often it is tried. */
export class MadeChange {
  #isRetried = false;

  constructor(
    private readonly pool: PostgresPool,
    private readonly server: string,
    private readonly number: number,
    private readonly onAnswered: (isRetried: boolean) => void,
  ) {}

  /** Called when the change will not be tried again, so that its stored result can be removed. */
  forget(): void {
    this.onAnswered(this.#isRetried);
  }

  /**
   * Makes the change, unless an earlier try has made it.
   * @param isRetry whether there was an earlier try whose result is not known
   * @returns the rows that the change returned, in this or an earlier try
   */
  async make(text: string, values: readonly Value[], isRetry: boolean): Promise<RawRow[]> {
    if (!isRetry) return this.#make(text, values);
    this.#isRetried = true;
    const earlierRows = await this.#answer();
    if (earlierRows) return earlierRows;
    try {
      const rows = await this.#make(text, values);
      if (rows.length > 0) return rows;
      // An earlier try may still be executed. Either it has already stored a result, or the empty result that
      // is stored now keeps it from making the change.
      await this.#mark();
      return (await this.#answer()) ?? rows;
    } catch (error) {
      const storedRows = sqlStateOf(error) === UNIQUE_VIOLATION ? await this.#answer() : null;
      if (storedRows) return storedRows;
      throw error;
    }
  }

  #make(text: string, values: readonly Value[]): Promise<RawRow[]> {
    const textWithMark = withMark(text, values.length);
    const markValues = [this.server, this.number, Date.now()];
    return this.pool.use((connection) =>
      connection.query(textWithMark, [...values, ...markValues]),
    );
  }

  /**
   * Stores an empty result, unless a try has made the change and stored its result. After that, no try can
   * make the change, as its own result could not be stored.
   */
  async #mark(): Promise<void> {
    const text = "INSERT INTO made_changes VALUES ($1, $2, $3, '[]') ON CONFLICT DO NOTHING";
    const values = [this.server, this.number, Date.now()];
    await this.pool.use((connection) => connection.query(text, values));
  }

  /** Returns the stored result of the change; null: no try has made it. */
  async #answer(): Promise<RawRow[] | null> {
    const text = "SELECT answer FROM made_changes WHERE server = $1 AND number = $2";
    const values = [this.server, this.number];
    const [mark] = await this.pool.use((connection) => connection.query(text, values));
    return mark ? (JSON.parse(String(mark["answer"])) as RawRow[]) : null;
  }
}

const UNIQUE_VIOLATION = "23505";

/**
 * Returns one statement that makes a change and stores its result.
 * @param count number of the change's own parameters
 */
function withMark(text: string, count: number): string {
  const markParameters = `$${count + 1}, $${count + 2}::bigint, $${count + 3}::bigint`;
  if (!text.includes("RETURNING")) {
    return `WITH change AS (${text}) INSERT INTO made_changes VALUES (${markParameters}, '[]')`;
  }
  return `WITH change AS (${text}), mark AS (
      INSERT INTO made_changes SELECT ${markParameters}, json_agg(change)::text FROM change HAVING COUNT(*) > 0
    ) SELECT * FROM change`;
}
