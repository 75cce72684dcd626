/** Whether a text is the IANA name of a time zone. */
export function isTimeZone(name: string): boolean {
  // What begins with a sign or a digit is an offset, which no place has all year.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return Intl.DateTimeFormat("en", { timeZone: name }).format(0) !== "";
  } catch {
    return false;
  }
}

/** The time zone of this machine, where it has one. */
export function systemTimeZone(): string | null {
  const name = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return isTimeZone(name) ? name : null;
}

/**
 * Reads the clock on the wall of a place.
 * @param timeZone IANA name
 * @returns for a time, in ms since 1970, the minute of the local day, 0 to 1439
 */
export function localClock(timeZone: string): (time: number) => number {
  const format = new Intl.DateTimeFormat("en", {
    timeZone,
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  return (time) => {
    const [hour = NaN, minute = NaN] = format.format(time).split(":").map(Number);
    return hour * 60 + minute;
  };
}

/**
 * The local time at a moment, without its offset: `2026-11-30T02:30:00`.
 * @param at ms since 1970
 */
export function localTimeAt(at: number, timeZone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone);
  return local.toPlainDateTime().toString({ smallestUnit: "second", roundingMode: "floor" });
}

/**
 * When a local time comes, ms since 1970. One that does not exist, as clocks were put forward, comes as
 * much later; one that exists twice comes the first time.
 */
export function momentOf(localTime: string, timeZone: string): number {
  const local = Temporal.PlainDateTime.from(localTime);
  return local.toZonedDateTime(timeZone, { disambiguation: "compatible" }).epochMilliseconds;
}
