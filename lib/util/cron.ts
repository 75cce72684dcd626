/*
 * Local times as cron writes them. The next time is first looked for as if the local clock were UTC, in
 * which each time comes exactly once, and then converted from the zone. So a fixed hour comes exactly once
 * a day, also where clocks are put forward or back.
 */

/** Most characters of an expression. */
export const MAX_CRON_LENGTH = 200;

/** The times that come next, all at the same moment. */
export interface NextTimes {
  /** ms since 1970 */
  at: number;
  /**
   * Local times without an offset: `2026-11-30T02:30:00`. Usually one. Two where clocks are put forward, and the
   * skipped time is put off to a moment that is itself one of the times.
   */
  localTimes: string[];
}

/** Local times are taken for UTC. */
const UTC = { tz: "UTC" };

const DAY_MS = 86_400_000;

/** An expression of five fields (minute, hour, day, month, day of the week), or `@daily` and the like. */
export class Cron {
  /**
   * Whether the expression names hours. Then a time that clocks skip is made up for; hourly times need not
   * be.
   */
  readonly #hasHours: boolean;

  private constructor(readonly text: string) {
    const [, hours = ""] = text.split(" ");
    this.#hasHours = !hours.includes("*") && text.toLowerCase() !== "@hourly";
  }

  /** @returns what is wrong, in a few words, where the text is no expression */
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
   * The next time in a zone.
   * @param after ms since 1970
   * @returns null: there are no more
   */
  next(timeZone: string, after: number): NextTimes | null {
    const clock = new ZoneClock(timeZone);
    let found: { at: number; locals: number[] } | null = null;
    // A time that clocks skipped was put off, and may still be to come.
    const putForward = Math.max(0, clock.offsetAt(after) - clock.offsetAt(after - DAY_MS));
    const from = after + clock.offsetAt(after) - putForward;
    for (let local = this.#after(from); local !== null; local = this.#after(local)) {
      const at = clock.momentOf(local);
      const exists = at + clock.offsetAt(at) === local;
      const counts = at > after && (exists || this.#hasHours);
      if (counts && (!found || at < found.at)) found = { at, locals: [local] };
      else if (counts && at === found?.at) found.locals.push(local);
      // Any later local time also comes later.
      if (counts && exists) break;
    }
    return found && { at: found.at, localTimes: found.locals.map(localTimeOf) };
  }

  /** The moment of a local time in a zone, in ms since 1970; null where the expression does not mean it. */
  momentOf(localTime: string, timeZone: string): number | null {
    const local = Date.parse(`${localTime}Z`);
    if (this.#after(local - 1) !== local) return null;
    const clock = new ZoneClock(timeZone);
    const at = clock.momentOf(local);
    return this.#hasHours || at + clock.offsetAt(at) === local ? at : null;
  }

  #after(local: number): number | null {
    return Bun.cron.parse(this.text, new Date(local), UTC)?.getTime() ?? null;
  }
}

/** The local clock of a zone. Local times are given as if they were UTC, in ms since 1970. */
class ZoneClock {
  constructor(private readonly timeZone: string) {}

  offsetAt(at: number): number {
    const zoned = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(this.timeZone);
    return zoned.offsetNanoseconds / 1e6;
  }

  /**
   * The moment of a local time. A skipped one comes later by as much as was skipped; of a repeated one the
   * first counts.
   */
  momentOf(local: number): number {
    const plain = Temporal.Instant.fromEpochMilliseconds(local)
      .toZonedDateTimeISO("UTC")
      .toPlainDateTime();
    return plain.toZonedDateTime(this.timeZone, { disambiguation: "compatible" }).epochMilliseconds;
  }
}

function localTimeOf(local: number): string {
  return new Date(local).toISOString().slice(0, 19);
}
