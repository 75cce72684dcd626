import { describe, expect, test } from "bun:test";
import { closingLine, readReport, resultsOf, type TestResult } from "./report.ts";

const FILE = "tests/a.test.ts";

const testcase = (name: string, content = "", groups = "") =>
  `<testcase name="${name}" classname="${groups}" time="0" file="${FILE}" line="1" assertions="0"` +
  (content ? `>\n${content}\n</testcase>` : " />");

const PASSED = testcase("one");
const FAILED = testcase("two", '<failure type="Error" message="no &lt;testcase&gt;">no</failure>');
const SKIPPED = testcase("three (needs strace: apt-get install strace)", "<skipped />");

const report = (...testcases: string[]) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="bun test">
  <testsuite name="${FILE}" file="${FILE}" hostname="x">${testcases.join("\n")}</testsuite>
</testsuites>`;

test("a report names each test, how it ended, and why it failed", () => {
  expect(readReport(report(PASSED, FAILED, SKIPPED))).toEqual([
    { file: FILE, name: "one", outcome: "passed" },
    { file: FILE, name: "two", outcome: "failed", reason: "no\nafter 0.0 s" },
    { file: FILE, name: "three (needs strace: apt-get install strace)", outcome: "skipped" },
  ]);
});

describe("the reason of a failure", () => {
  const reasonOf = (failure: string) => readReport(report(testcase("a", failure)))[0]?.reason;

  test("is its message where there is no text", () => {
    const failure = '<failure type="TimeoutError" message="test timed out" />';
    expect(reasonOf(failure)).toBe("test timed out\nafter 0.0 s");
  });

  test("is no longer than a screen", () => {
    const text = Array.from({ length: 100 }, (_, n) => `line ${n}`).join("&#10;");
    const lines = reasonOf(`<failure message="">${text}</failure>`)!.split("\n");
    expect(lines.slice(28)).toEqual(["line 28", "line 29", "… 70 more lines", "after 0.0 s"]);
  });
});

test("names are those that the tests have, behind those of their groups", () => {
  const xml = report(testcase("&quot;a&quot; &lt; b &amp; c&#10;&#x2764;", "", "inner &gt; outer"));
  expect(readReport(xml).map(({ name }) => name)).toEqual(['outer > inner > "a" < b & c\n❤']);
});

describe("a run fails, with the file's name,", () => {
  const failures = (results: TestResult[]) =>
    results.filter(({ outcome }) => outcome === "failed").map(({ file, name }) => [file, name]);

  test("where it wrote no report, even if it ended well", () => {
    expect(failures(resultsOf({ files: [FILE], report: null, exit: 0 }))).toEqual([
      [FILE, "it gave no result, bun test ended with exit code 0"],
    ]);
    expect(failures(resultsOf({ files: [FILE], report: null, exit: "SIGSEGV" }))).toEqual([
      [FILE, "it gave no result, bun test ended with SIGSEGV"],
    ]);
  });

  test("where a file gave no result, as one that cannot be loaded", () => {
    const files = [FILE, "tests/b.test.ts"];
    expect(failures(resultsOf({ files, report: report(PASSED, FAILED), exit: 1 }))).toEqual([
      [FILE, "two"],
      ["tests/b.test.ts", "it gave no result, bun test ended with exit code 1"],
    ]);
  });

  test("where no result explains the exit code", () => {
    expect(failures(resultsOf({ files: [FILE], report: report(PASSED), exit: 1 }))).toEqual([
      ["", "bun test ended with exit code 1"],
    ]);
  });
});

test.each<[string, string[], number, string]>([
  ["a clean run", [PASSED, PASSED], 0, "2 passed, 0 failed"],
  ["a failed test", [PASSED, FAILED], 1, "1 passed, 1 failed"],
  ["a skipped test", [PASSED, SKIPPED], 0, "1 passed, 0 failed, 1 skipped"],
  ["a clean report with a bad exit", [PASSED], 1, "1 passed, 1 failed"],
])("the closing line of %s", (_, testcases, exit, line) => {
  const results = resultsOf({ files: [FILE], report: report(...testcases), exit });
  expect(closingLine(results)).toBe(line);
});
