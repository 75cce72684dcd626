import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  isTimeZone,
  localClock,
  localTimeAt,
  momentOf,
  systemTimeZone,
} from "../../lib/util/time-zone.ts";

test.each([
  ["Europe/Berlin", true],
  ["America/Argentina/Buenos_Aires", true],
  ["UTC", true],
  ["Mars/Olympus", false],
  ["+02:00", false],
  ["", false],
  ["Europe/Berlin\n", false],
])("%p is a time zone: %p", (name, expected) => {
  expect(isTimeZone(name)).toBe(expected);
});

test("this machine's is one, where it has one", () => {
  const name = systemTimeZone(process.env["TZ"]);
  expect(name === null || isTimeZone(name)).toBe(true);
});

describe("the link that sets a machine's time zone", () => {
  const runtimes = systemTimeZone("");

  test.each([
    ["/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"],
    ["../usr/share/zoneinfo/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"],
    ["/var/db/timezone/zoneinfo/America/Port-au-Prince", "America/Port-au-Prince"],
    ["/usr/share/zoneinfo.default/Asia/Tokyo", "Asia/Tokyo"],
    ["/usr/share/zoneinfo/Etc/UTC", "UTC"],
    ["/usr/share/zoneinfo/UTC", "UTC"],
    ["/usr/share/zoneinfo/US/Pacific", runtimes],
    ["/usr/share/zoneinfo/right/Europe/Berlin", runtimes],
    ["/usr/share/zoneinfo/Etc/GMT+5", runtimes],
    ["/etc/elsewhere", runtimes],
  ])("%s is %s", async (target, zone) => {
    const folder = await mkdtemp(join(tmpdir(), "fds-zone-"));
    await symlink(target, join(folder, "localtime"));
    expect(systemTimeZone(undefined, join(folder, "localtime"))).toBe(zone);
    expect(systemTimeZone("", join(folder, "localtime"))).toBe(runtimes);
    await rm(folder, { recursive: true });
  });

  test("is not there", () => {
    expect(systemTimeZone(undefined, "/there/is/none")).toBe(runtimes);
  });
});

test.each([
  ["UTC", "2026-01-31T00:00:00Z", "00:00"],
  ["UTC", "2026-01-31T23:59:59Z", "23:59"],
  ["Asia/Kolkata", "2026-01-31T02:30:00Z", "08:00"],
  ["America/New_York", "2026-03-08T06:59:00Z", "01:59"],
  ["America/New_York", "2026-03-08T07:00:00Z", "03:00"],
  ["America/New_York", "2026-11-01T05:30:00Z", "01:30"],
  ["America/New_York", "2026-11-01T06:30:00Z", "01:30"],
  ["Australia/Lord_Howe", "2026-10-03T15:29:00Z", "01:59"],
  ["Australia/Lord_Howe", "2026-10-03T15:30:00Z", "02:30"],
])("the clock on the wall in %s at %s says %s", (zone, time, expected) => {
  const minute = localClock(zone)(Date.parse(time));
  const two = (number: number) => String(number).padStart(2, "0");
  expect(`${two(Math.floor(minute / 60))}:${two(minute % 60)}`).toBe(expected);
});

test.each([
  // Clocks go forward: a skipped local time comes later, by as much as the clocks skip.
  ["2026-03-08T02:30:00", "America/New_York", "2026-03-08T07:30:00Z", "2026-03-08T03:30:00"],
  ["2026-09-06T00:00:00", "America/Santiago", "2026-09-06T04:00:00Z", "2026-09-06T01:00:00"],
  ["2026-10-04T02:10:00", "Australia/Lord_Howe", "2026-10-03T15:40:00Z", "2026-10-04T02:40:00"],
  // Clocks go back: a local time that comes twice counts at its first occurrence.
  ["2026-11-01T01:30:00", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-01T01:30:00"],
  ["2026-04-05T01:40:00", "Australia/Lord_Howe", "2026-04-04T14:40:00Z", "2026-04-05T01:40:00"],
  ["2026-11-30T02:30:00", "Asia/Kolkata", "2026-11-29T21:00:00Z", "2026-11-30T02:30:00"],
])("%p in %s comes at %p, when it is %p there", (local, zone, moment, seen) => {
  expect(new Date(momentOf(local, zone)).getTime()).toBe(Date.parse(moment));
  expect(localTimeAt(Date.parse(moment), zone)).toBe(seen);
});

test("the local time has whole seconds", () => {
  expect(localTimeAt(Date.parse("2026-11-30T02:30:59.999Z"), "UTC")).toBe("2026-11-30T02:30:59");
});
