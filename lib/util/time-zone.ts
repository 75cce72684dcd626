import { readlinkSync } from "node:fs";

/** Reports whether a text is the IANA name of a time zone, such as `Europe/Berlin`. */
export function isTimeZone(name: string): boolean {
  // Offsets such as "+02:00" are refused, although Intl takes them: they know no summer time.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return Intl.DateTimeFormat("en", { timeZone: name }).format(0) !== "";
  } catch {
    return false;
  }
}

/** Matches the target of /etc/localtime if it is a zone of a region and city, or one of the names of UTC. */
const ZONE_PATH =
  /\/zoneinfo(?:\.default)?\/(?:((?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)\/[\w+/-]+)|(?:Etc\/)?(?:UTC|UCT|Zulu|Universal))$/;

/**
 * Returns the IANA name of this machine's time zone; null if it has no such name.
 * @param tzVariable value of the environment variable TZ; if it is set, `link` is not read
 * @param link path of the symbolic link that sets the system's time zone
 */
export function systemTimeZone(
  tzVariable: string | undefined,
  link = "/etc/localtime",
): string | null {
  return (tzVariable === undefined ? zoneOfLink(link) : null) ?? zoneOfRuntime();
}

/**
 * Reads the time zone from the target of /etc/localtime. Asking `Intl` instead loads 4 MiB of language data.
 */
function zoneOfLink(link: string): string | null {
  try {
    const found = ZONE_PATH.exec(readlinkSync(link));
    return found && (found[1] ?? "UTC");
  } catch {
    // There is no such link, as on Windows.
    return null;
  }
}

function zoneOfRuntime(): string | null {
  const name = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return isTimeZone(name) ? name : null;
}

/**
 * Returns a function that converts a moment to the local time of day in a zone.
 * @param timeZone IANA name
 * @returns a function that takes ms since 1970 and returns minutes since local midnight, 0 to 1439
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
 * Returns the local time at a moment, without the zone's offset, such as `2026-11-30T02:30:00`.
 * @param at the moment, in ms since 1970
 */
export function localTimeAt(at: number, timeZone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone);
  return local.toPlainDateTime().toString({ smallestUnit: "second", roundingMode: "floor" });
}

/**
 * Returns the moment of a local time, in ms since 1970. A local time that is skipped as clocks go forward is
 * moved by the length of the gap. A local time that comes twice stands for its first moment.
 */
export function momentOf(localTime: string, timeZone: string): number {
  const local = Temporal.PlainDateTime.from(localTime);
  return local.toZonedDateTime(timeZone, { disambiguation: "compatible" }).epochMilliseconds;
}
