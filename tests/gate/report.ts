/** So many lines of a failure are shown again at the end: enough for its error and where it was. */
const REASON_LINES = 30;

/** How one test ended. */
export interface TestResult {
  /** Relative to the folder that the tests ran in; empty where Bun does not say it. */
  file: string;
  /** The names of its groups and its own, as Bun prints them: `group > test`. */
  name: string;
  outcome: "passed" | "failed" | "skipped";
  /** Why it failed, and how long it took, where the report has it; of more than one line. */
  reason?: string;
}

/** What one run of `bun test` came to. */
export interface Run {
  /** The test files that were asked for. */
  files: readonly string[];
  /** The JUnit report that it wrote; null where it wrote none, as after a crash. */
  report: string | null;
  /** How its process ended: an exit code, or a signal. */
  exit: number | NodeJS.Signals;
}

/**
 * Reads the JUnit report of `bun test`: unlike its output, it is the same on a terminal, in a pipe,
 * with and without colours.
 */
export function readReport(xml: string): TestResult[] {
  const testcases = xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([^]*?)<\/testcase>)/g);
  return [...testcases].map(([, attributes = "", content = ""]) => {
    // The innermost group comes first.
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
 * The results of a run, and a failure for each file that gave none and for an exit code that no
 * result explains: a crash never counts as success.
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

/** The last line of the gate, for people and for CI. */
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

/** What a failed test says of itself: its error, where it was thrown, and its time. */
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
