/** Highest number of lines of a failure that the final list repeats: enough for the error and its place. */
const REASON_LINES = 30;

/** How one test ended. */
export interface TestResult {
  /** Path of the test file, relative to the working directory of the tests; empty if Bun does not tell it. */
  file: string;
  /** Names of the test's groups and of the test, as Bun prints them: `group > test`. */
  name: string;
  outcome: "passed" | "failed" | "skipped";
  /** Why the test failed and how long it took, in several lines; missing if the report does not tell. */
  reason?: string;
}

/** The outcome of one run of `bun test`. */
export interface Run {
  /** The test files that `bun test` was called with. */
  files: readonly string[];
  /** The JUnit report as XML; null if `bun test` wrote none, as after a crash. */
  report: string | null;
  /** The exit code of `bun test`, or the signal that ended it. */
  exit: number | NodeJS.Signals;
}

/**
 * Parses the JUnit report of `bun test`. The report is used instead of the printed output, which differs
 * between terminals and pipes, and with colours.
 */
export function readReport(xml: string): TestResult[] {
  const testcases = xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([^]*?)<\/testcase>)/g);
  return [...testcases].map(([, attributes = "", content = ""]) => {
    // Bun writes the innermost group first.
    const groups = attributeOf(attributes, "classname").split(" > ").toReversed();
    const names = [...groups, attributeOf(attributes, "name")];
    const outcome = outcomeOf(content);
    return {
      file: attributeOf(attributes, "file"),
      name: names.filter(Boolean).join(" > "),
      outcome,
      ...(outcome === "failed" && { reason: reasonOf(attributes, content) }),
    };
  });
}

/**
 * Returns the results of a run. Adds a failure for each file without a result, and for an exit code other
 * than 0 without a failed test, so that a crash never counts as success.
 */
export function resultsOf({ files, report, exit }: Run): TestResult[] {
  const results = report === null ? [] : readReport(report);
  const withResults = new Set(results.map(({ file }) => file));
  const how = typeof exit === "number" ? `exit code ${exit}` : exit;
  const silent = files.filter((file) => !withResults.has(file));
  results.push(
    ...silent.map((file) => failure(file, `it gave no result, bun test ended with ${how}`)),
  );
  if (exit !== 0 && !results.some(({ outcome }) => outcome === "failed")) {
    results.push(failure("", `bun test ended with ${how}`));
  }
  return results;
}

/** Formats the last line of `bun run test`: how many tests passed, failed and were skipped. */
export function closingLine(results: readonly TestResult[]): string {
  const count = (wanted: TestResult["outcome"]) =>
    results.filter(({ outcome }) => outcome === wanted).length;
  const line = `${count("passed")} passed, ${count("failed")} failed`;
  return count("skipped") > 0 ? `${line}, ${count("skipped")} skipped` : line;
}

function failure(file: string, name: string): TestResult {
  return { file, name, outcome: "failed" };
}

function outcomeOf(content: string): TestResult["outcome"] {
  if (/<(?:failure|error)\b/.test(content)) return "failed";
  return /<skipped\b/.test(content) ? "skipped" : "passed";
}

/** Returns the error of a failed test, where it was thrown, and the duration of the test. */
function reasonOf(attributes: string, content: string): string {
  const [, start = "", text = ""] =
    /<(?:failure|error)\b([^>]*?)(?:\/>|>([^]*?)<\/)/.exec(content) ?? [];
  const lines = (decoded(text).trim() || attributeOf(start, "message")).split("\n");
  const more = lines.length - REASON_LINES;
  const shown = more > 0 ? [...lines.slice(0, REASON_LINES), `… ${more} more lines`] : lines;
  return [...shown, `after ${Number(attributeOf(attributes, "time")).toFixed(1)} s`].join("\n");
}

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function attributeOf(attributes: string, name: string): string {
  const [, value = ""] = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes) ?? [];
  return decoded(value);
}

function decoded(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (entity, decimal, hex, named) => {
    if (named) return ENTITIES[named] ?? entity;
    return String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hex, 16));
  });
}
