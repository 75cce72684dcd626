import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  fillDates,
  flawOfDates,
  hasDates,
  type TemplateKind,
  withoutDates,
} from "../../lib/util/path-dates.ts";

const AT = "2024-03-01T02:03:04";

test.each<[text: string, kind: TemplateKind, filled: string]>([
  ["sales.csv", "path", "sales.csv"],
  ["sales-{date}.csv", "path", "sales-2024-03-01.csv"],
  ["{date:yyyyMMdd}", "path", "20240301"],
  ["{date:yy.MM.dd_HH-mm-ss}", "path", "24.03.01_02-03-04"],
  ["{date:yyyyMMddTHHmmss}", "path", "20240301T020304"],
  // The day before 2024-03-01 is February 29.
  ["{date-1d}", "path", "2024-02-29"],
  ["{date-2d:yyyy/MM/dd}/x", "path", "2024/02/28/x"],
  ["{date-366d:HH} {date-366d}", "path", "02 2023-03-01"],
  ["C:\\logs\\{date}.log", "path", "C:\\logs\\2024-03-01.log"],
  ["{a,b}-{date}-[0-9].csv", "pattern", "{a,b}-2024-03-01-[0-9].csv"],
  ["\\{date\\}", "pattern", "\\{date\\}"],
  ["\\\\{date}", "pattern", "\\\\2024-03-01"],
  ["{a{date},b}", "pattern", "{a2024-03-01,b}"],
])("%p as a %s is %p", (text, kind, filled) => {
  expect(flawOfDates(text, kind)).toBeNull();
  expect(fillDates(text, kind, AT)).toBe(filled);
});

test.each([
  "{date",
  "{dates}",
  "{date,other}",
  "{datetime:yyyy}",
  "{date+1d}",
  "{date-1}",
  "{date-0d}",
  "{date-01d}",
  "{date-1h}",
  "{date-1d",
  "{date-10000d}",
  "{date:}",
  "{date:-}",
  "{date:..}",
  "{date:YYYY}",
  "{date:yyy}",
  "{date:yyyyy}",
  "{date:M}",
  "{date: hh}",
  "{date:yyyy{date}}",
  "{date}{date:x}",
])("%p is no date, and the error shows how one is written", (text) => {
  expect(flawOfDates(text, "path")).toContain("{date:yyyyMMdd}");
  expect(flawOfDates(text, "pattern")).toContain("{date:yyyyMMdd}");
});

describe("a word", () => {
  test("has dates, or none", () => {
    expect(hasDates("a{date}")).toBe(true);
    expect(hasDates("a{data}")).toBe(false);
    expect(hasDates("\\{date}", "pattern")).toBe(false);
    expect(hasDates("\\{date}", "path")).toBe(true);
  });

  test("is what is left without them", () => {
    expect(withoutDates("a{date-1d:yyyy}b*")).toBe("ab*");
  });
});

test("any text either has a flaw, or is filled in with no date left, in no time", () => {
  const piece = fc.oneof(
    fc.constantFrom("{date", "{", "}", ":", "-1d", "yyyy", "yy", "MM", "\\", "/", ","),
    fc.string({ maxLength: 3 }),
  );
  const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, fc.constantFrom<TemplateKind>("path", "pattern"), (template, kind) => {
      if (flawOfDates(template, kind) !== null) return;
      const filled = fillDates(template, kind, AT);
      if (!hasDates(template, kind)) expect(filled).toBe(template);
      else expect(filled).toMatch(/\d/);
    }),
    { numRuns: 2_000 },
  );
  expect(flawOfDates(`{date:${"y".repeat(4_000)}x}`, "path")).not.toBeNull();
});
