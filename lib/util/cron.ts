/*
 * Times of the clock on the wall, as cron writes them. A time on the wall is taken for a time of UTC, in
 * which each comes once, to find the next one; then it is looked up when it comes at a place. So each
 * time of a fixed hour comes exactly once a day, wherever clocks are put forward or back.
 */

/** Most characters of an expression. */
export const MAX_CRON_LENGTH = 200;

/** The times that come next, all at the same moment. */
export interface NextTimes {
  /** ms since 1970 */
  at: number;
  /** On the wall, without an offset: `2026-11-30T02:30:00`; two of them where one of them does not exist. */
  localTimes: string[];
}

/** Times of the wall that are taken for those of UTC. */
const UTC = { tz: "UTC" };

const DAY_MS = 86_400_000;

/** An expression of five fields (minute, hour, day, month, day of the week), or `@daily` and the like. */
export class Cron {
  /** Its hour is said: a time that does not exist is made up for. What comes each hour comes by itself. */
  readonly #hasHours: boolean;

  private constructor(readonly text: string) {
    const [, hours = ""] = text.split(" ");
    this.#hasHours = !hours.includes("*") && text.toLowerCase() !== "@hourly";
  }

  /** @returns why a text is none, in a few words */
  static parse(text: string): Cron | string {
    const trimmed = text.trim().replaceAll(/\s+/g, " ");
    if (trimmed.length > MAX_CRON_LENGTH) return `is longer than ${MAX_CRON_LENGTH} characters`;
    try {
      const first = Bun.cron.parse(trimmed, new Date(0), UTC);
      return first ? new Cron(trimmed) : "is a time that never comes";
    } catch (error) {
      const why = error instanceof Error ? error.message.replace(/^[^:]*: /, "") : "";
      return `expected five fields, such as "30 2 * * *", or "@daily": ${why}`;
    }
  }

  /**
   * What comes next at a place.
   * @param after ms since 1970
   * @returns null: nothing comes any more
   */
  next(timeZone: string, after: number): NextTimes | null {
    const place = new Place(timeZone);
    let found: { at: number; walls: number[] } | null = null;
    // What was put off as clocks went forward may come only now.
    const putForward = Math.max(0, place.offsetAt(after) - place.offsetAt(after - DAY_MS));
    const from = after + place.offsetAt(after) - putForward;
    for (let wall = this.#after(from); wall !== null; wall = this.#after(wall)) {
      const at = place.momentOf(wall);
      const exists = at + place.offsetAt(at) === wall;
      const counts = at > after && (exists || this.#hasHours);
      if (counts && (!found || at < found.at)) found = { at, walls: [wall] };
      else if (counts && at === found?.at) found.walls.push(wall);
      // Whatever is later on the wall comes later.
      if (counts && exists) break;
    }
    return found && { at: found.at, localTimes: found.walls.map(localTimeOf) };
  }

  /** When a local time comes at a place, ms since 1970; null: it is none of these times. */
  momentOf(localTime: string, timeZone: string): number | null {
    const wall = Date.parse(`${localTime}Z`);
    if (this.#after(wall - 1) !== wall) return null;
    const place = new Place(timeZone);
    const at = place.momentOf(wall);
    return this.#hasHours || at + place.offsetAt(at) === wall ? at : null;
  }

  #after(wall: number): number | null {
    return Bun.cron.parse(this.text, new Date(wall), UTC)?.getTime() ?? null;
  }
}

/** The clock on the wall of a place. Its times are given as if they were those of UTC, in ms since 1970. */
class Place {
  constructor(private readonly timeZone: string) {}

  offsetAt(at: number): number {
    const zoned = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(this.timeZone);
    return zoned.offsetNanoseconds / 1e6;
  }

  /** What does not exist comes as much later; what exists twice comes the first time. */
  momentOf(wall: number): number {
    const local = Temporal.Instant.fromEpochMilliseconds(wall)
      .toZonedDateTimeISO("UTC")
      .toPlainDateTime();
    return local.toZonedDateTime(this.timeZone, { disambiguation: "compatible" }).epochMilliseconds;
  }
}

function localTimeOf(wall: number): string {
  return new Date(wall).toISOString().slice(0, 19);
}
