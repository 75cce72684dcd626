import { expect, test } from "bun:test";
import { closingLine, summarize } from "../../lib/cli/run-tests.ts";

const OUTPUT = `
tests/a.test.ts:
(pass) one [0.09ms]
(skip) two (needs strace: apt-get install strace)
 7 fail
(fail) three [0.10ms]

1 tests skipped:
(skip) two (needs strace: apt-get install strace)

 12 pass
 1 skip
 2 fail
 1 error
Ran 15 tests across 3 files. [22.00ms]
`;

test("the summary of a run is the last one in its output, whatever the tests themselves print", () => {
  expect(summarize(OUTPUT, 1)).toEqual({
    passed: 12,
    failed: 2,
    skipped: 1,
    notRun: ["two (needs strace: apt-get install strace)"],
  });
});

test("colours do not hide the counts", () => {
  const coloured = OUTPUT.replace(" 12 pass", "\x1b[32m 12 pass\x1b[0m");
  expect(summarize(coloured, 1).passed).toBe(12);
});

test.each([
  ["a crash before the summary", "panic", 132, "0 passed, 1 failed"],
  ["a clean run", " 3 pass\n 0 fail\n", 0, "3 passed, 0 failed"],
  ["a clean count with a bad exit", " 3 pass\n 0 fail\n", 1, "3 passed, 1 failed"],
  ["a skipped test", "(skip) x\n 3 pass\n 1 skip\n 0 fail\n", 0, "3 passed, 0 failed, 1 skipped"],
])("the closing line of %s", (_, output, exitCode, line) => {
  expect(closingLine(summarize(output, exitCode))).toBe(line);
});
