import { readlinkSync } from "node:fs";

/** Whether a text is the IANA name of a time zone. */
export function isTimeZone(name: string): boolean {
  // A name that begins with a sign or a digit is an offset, which says nothing about summer time.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return Intl.DateTimeFormat("en", { timeZone: name }).format(0) !== "";
  } catch {
    return false;
  }
}

/**
 * The end of the link that sets a system's time zone, where that is a place, or UTC by one of its names.
 */
const PLACE =
  /\/zoneinfo(?:\.default)?\/(?:((?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)\/[\w+/-]+)|(?:Etc\/)?(?:UTC|UCT|Zulu|Universal))$/;

/**
 * The time zone of this machine; null where it is not set.
 * @param variable the environment's TZ
 * @param link that sets the zone for all programs
 */
export function systemTimeZone(
  variable: string | undefined,
  link = "/etc/localtime",
): string | null {
  return (variable === undefined ? zoneOfLink(link) : null) ?? zoneOfRuntime();
}

/** The runtime's own answer costs 4 MiB of memory, for its knowledge of all languages. */
function zoneOfLink(link: string): string | null {
  try {
    const found = PLACE.exec(readlinkSync(link));
    return found && (found[1] ?? "UTC");
  } catch {
    // No link, as on Windows.
    return null;
  }
}

function zoneOfRuntime(): string | null {
  const name = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return isTimeZone(name) ? name : null;
}

/**
 * Reads the local clock of a zone.
 * @param timeZone IANA name
 * @returns a function from ms since 1970 to the minute of the local day, 0 to 1439
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
 * The moment of a local time, in ms since 1970. One that is skipped as clocks are put forward comes later
 * by as much; of one that comes twice, the first counts.
 */
export function momentOf(localTime: string, timeZone: string): number {
  const local = Temporal.PlainDateTime.from(localTime);
  return local.toZonedDateTime(timeZone, { disambiguation: "compatible" }).epochMilliseconds;
}
