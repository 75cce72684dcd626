/*
 * Cron expressions in local time. The next match is first computed as if the local clock were UTC, in which
 * each local time exists exactly once, and then converted to a moment in the zone. So a fixed hour comes
 * exactly once a day, also on days when clocks go forward or back.
 */

/** Longest cron expression, in characters. */
export const MAX_CRON_LENGTH = 200;

/** The next moment at which a cron expression matches, with the local times that match then. */
export interface NextTimes {
  /** The moment at which the expression matches, in ms since 1970. */
  at: number;
  /**
   * The matching local times without an offset, such as `2026-11-30T02:30:00`. Usually there is one. There
   * can be two when clocks go forward: a skipped 02:30 is moved to 03:30, and 03:30 may match, too.
   */
  localTimes: string[];
}

/**
 * Time zone for Bun.cron.parse. The function gets local times as if they were UTC, so it must not convert
 * them.
 */
const UTC = { tz: "UTC" };

const DAY_MS = 86_400_000;

/** A cron expression of five fields (minute, hour, day, month, day of the week), or `@daily` and the like. */
export class Cron {
  /**
   * Whether the expression names hours, as in `30 2 * * *`. If it does, a time that is skipped as clocks go
   * forward is moved to after the gap. If not, as in `30 * * * *`, such a time is left out.
   */
  readonly #hasHours: boolean;

  private constructor(readonly text: string) {
    const [, hours = ""] = text.split(" ");
    this.#hasHours = !hours.includes("*") && text.toLowerCase() !== "@hourly";
  }

  /** Parses an expression. @returns a few words on what is wrong if the text is no expression */
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
   * Returns the next moment at which the expression matches the local time of a zone.
   * @param timeZone IANA name
   * @param after the moment after which to look, in ms since 1970
   * @returns null if the expression never matches again
   */
  next(timeZone: string, after: number): NextTimes | null {
    const clock = new ZoneClock(timeZone);
    let found: { at: number; locals: number[] } | null = null;
    // Clocks may have gone forward in the last day, by `shiftMs` ms. A local time that was skipped then is
    // moved later by `shiftMs`, so its moment may still lie ahead. To find such times, the search begins
    // earlier by `shiftMs`.
    const shiftMs = Math.max(0, clock.offsetAt(after) - clock.offsetAt(after - DAY_MS));
    const from = after + clock.offsetAt(after) - shiftMs;
    for (let local = this.#nextMatch(from); local !== null; local = this.#nextMatch(local)) {
      const at = clock.momentOf(local);
      const exists = at + clock.offsetAt(at) === local;
      const isMatch = at > after && (exists || this.#hasHours);
      if (isMatch && (!found || at < found.at)) found = { at, locals: [local] };
      else if (isMatch && at === found?.at) found.locals.push(local);
      // A match that exists on the local clock ends the search, as all later local times are later moments,
      // too.
      if (isMatch && exists) break;
    }
    return found && { at: found.at, localTimes: found.locals.map(localTimeOf) };
  }

  /**
   * Returns the moment of a local time in a zone, in ms since 1970; null if the expression does not match
   * that local time.
   */
  momentOf(localTime: string, timeZone: string): number | null {
    const local = Date.parse(`${localTime}Z`);
    if (this.#nextMatch(local - 1) !== local) return null;
    const clock = new ZoneClock(timeZone);
    const at = clock.momentOf(local);
    return this.#hasHours || at + clock.offsetAt(at) === local ? at : null;
  }

  #nextMatch(local: number): number | null {
    return Bun.cron.parse(this.text, new Date(local), UTC)?.getTime() ?? null;
  }
}

/** The local clock of a zone. A local time is a number: its ms since 1970 if it were a time in UTC. */
class ZoneClock {
  constructor(private readonly timeZone: string) {}

  offsetAt(at: number): number {
    const zoned = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(this.timeZone);
    return zoned.offsetNanoseconds / 1e6;
  }

  /**
   * Returns the moment of a local time, in ms since 1970. A local time that is skipped as clocks go forward
   * is moved by the length of the gap. A local time that comes twice stands for its first moment.
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
