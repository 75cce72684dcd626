import { describe, expect, test } from "bun:test";
import { parseRateRules, rateByHour, RateRulesError } from "../../lib/util/rate-rules.ts";

const KiB = 1024;
const LEAST = 16 * KiB;

/** Returns the rates at these times, in KiB per second; null: no limit. */
function ratesAt(text: string, zone: string, times: string[]): (number | null)[] {
  let now = 0;
  const rate = rateByHour(parseRateRules(text, LEAST), zone, () => now);
  return times.map((time) => {
    now = Date.parse(time);
    const bytes = rate();
    return bytes === null ? null : bytes / KiB;
  });
}

function mistake(text: string): string {
  try {
    parseRateRules(text, LEAST);
  } catch (error) {
    expect(error).toBeInstanceOf(RateRulesError);
    return error instanceof Error ? error.message : "";
  }
  throw new Error("the rules were taken");
}

describe("the rate at a moment is that of the first rule that fits:", () => {
  test.each<[string, string, [string, number | null][]]>([
    ["2MiB", "UTC", [["2026-01-01T12:00:00Z", 2048]]],
    ["off", "UTC", [["2026-01-01T12:00:00Z", null]]],
    [
      "256KiB@08:00-22:00,off",
      "Europe/Berlin",
      [
        ["2026-01-01T06:59:59.999Z", null],
        ["2026-01-01T07:00:00Z", 256],
        ["2026-01-01T20:59:59.999Z", 256],
        ["2026-01-01T21:00:00Z", null],
        // In summer, the same local hours come an hour earlier in UTC.
        ["2026-07-01T05:59:59Z", null],
        ["2026-07-01T06:00:00Z", 256],
        ["2026-07-01T20:00:00Z", null],
      ],
    ],
    [
      "off@22:00-06:00, 64KiB",
      "Asia/Kolkata",
      [
        ["2026-01-01T16:29:00Z", 64],
        ["2026-01-01T16:30:00Z", null],
        ["2026-01-01T18:30:00Z", null],
        ["2026-01-02T00:29:00Z", null],
        ["2026-01-02T00:30:00Z", 64],
      ],
    ],
    [
      "32KiB@11:00-14:00,64KiB@08:00-20:00,128KiB@20:00-24:00",
      "UTC",
      [
        ["2026-01-01T12:00:00Z", 32],
        ["2026-01-01T14:00:00Z", 64],
        ["2026-01-01T23:59:00Z", 128],
        ["2026-01-02T00:00:00Z", null],
      ],
    ],
    // 02:30 is skipped on the first day, and 01:30 comes twice on the second one.
    [
      "32KiB@02:00-03:00,64KiB@03:00-04:00,128KiB@01:00-02:00,off",
      "America/New_York",
      [
        ["2026-03-08T06:59:00Z", 128],
        ["2026-03-08T07:00:00Z", 64],
        ["2026-03-08T08:00:00Z", null],
        ["2026-11-01T05:00:00Z", 128],
        ["2026-11-01T06:59:00Z", 128],
        ["2026-11-01T07:00:00Z", 32],
      ],
    ],
  ])("%s in %s", (text, zone, expected) => {
    const times = expected.map(([time]) => time);
    expect(ratesAt(text, zone, times)).toEqual(expected.map(([, rate]) => rate));
    // The rates are also right when the clock is set back.
    const back = times.toReversed();
    expect(ratesAt(text, zone, back)).toEqual(expected.map(([, rate]) => rate).toReversed());
  });

  test("every half hour of two years in zones that change their clocks", () => {
    for (const zone of ["America/Santiago", "Australia/Lord_Howe", "Africa/Casablanca"]) {
      let now = Date.UTC(2026, 0, 1);
      const rate = rateByHour(parseRateRules("64KiB@23:00-01:30,off", LEAST), zone, () => now);
      const hour = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeStyle: "short" });
      for (; now < Date.UTC(2028, 0, 1); now += 30 * 60_000) {
        const isSlow = /^(23:|00:|01:[0-2])/.test(hour.format(now));
        expect([now, rate()]).toEqual([now, isSlow ? 64 * KiB : null]);
      }
    }
  });
});

test.each([
  ["fast", 'a size of at least 16.0 KiB, in bytes or such as "1MiB", or "off"'],
  ["", 'a size of at least 16.0 KiB, in bytes or such as "1MiB", or "off"'],
  ["1KiB@08:00-09:00", "a size of at least 16.0 KiB"],
  ["64KiB@08:00-22:00,", 'or "off" in rule 2, ""'],
  ["64KiB@08:00,off", 'hours such as "08:00-22:00" or "22:00-06:00" behind the @ in rule 1'],
  ["off,64KiB@8:00-9:00", 'behind the @ in rule 2, "64KiB@8:00-9:00"'],
  ["64KiB@24:00-02:00", "hours such as"],
  ["64KiB@08:00-24:01", "hours such as"],
  ["64KiB@08:60-09:00", "hours such as"],
  ["64KiB@08:00-08:00", "hours such as"],
  ["64KiB@08:00-09:00@10:00-11:00", "hours such as"],
  ["64KiB,off@22:00-06:00", 'the rule without hours as the last one, and not as rule 1, "64KiB"'],
  ["off,".repeat(48) + "off", "at most 48 rules"],
])("a mistake is named with its place: %p", (text, expected) => {
  expect(mistake(text)).toContain(expected);
});
