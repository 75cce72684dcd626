import { describe, expect, test } from "bun:test";
import { Histogram } from "../../../lib/server/metrics/metrics.ts";
import { byLabel, counter, gauge, histogram } from "../../../lib/server/metrics/prometheus.ts";
import { parseMetrics } from "../../support/prometheus.ts";

describe("the text of", () => {
  test("a gauge", () => {
    expect(gauge("fds_a_bytes", "What it is.", 1.5)).toBe(
      "# HELP fds_a_bytes What it is.\n# TYPE fds_a_bytes gauge\nfds_a_bytes 1.5\n",
    );
  });

  test("a counter", () => {
    expect(counter("fds_a_total", "What it is.", 2 ** 53)).toBe(
      "# HELP fds_a_total What it is.\n# TYPE fds_a_total counter\nfds_a_total 9007199254740992\n",
    );
  });

  test("a value for each label", () => {
    const text = byLabel("gauge", "fds_a", "What it is.", "is", { 'x"\\\n': 1, y: 2 });
    expect(text).toEndWith('fds_a{is="x\\"\\\\\\n"} 1\nfds_a{is="y"} 2\n');
    expect(parseMetrics(text).get("fds_a")?.samples).toEqual([
      { name: "fds_a", labels: { is: 'x"\\\n' }, value: 1 },
      { name: "fds_a", labels: { is: "y" }, value: 2 },
    ]);
  });

  test("a histogram", () => {
    const values = new Histogram([1, 10]);
    for (const value of [0, 1, 1.1, 10, 11]) values.observe(value);
    expect(histogram("fds_a_seconds", "What it is.", values).split("\n").slice(2)).toEqual([
      'fds_a_seconds_bucket{le="1"} 2',
      'fds_a_seconds_bucket{le="10"} 4',
      'fds_a_seconds_bucket{le="+Inf"} 5',
      "fds_a_seconds_sum 23.1",
      "fds_a_seconds_count 5",
      "",
    ]);
  });

  test("numbers of any size is what Prometheus reads", () => {
    for (const value of [0, 1e-7, 1e21, -1]) {
      const [family] = parseMetrics(gauge("fds_a", "What it is.", value)).values();
      expect(family?.samples[0]?.value).toBe(value);
    }
  });
});

describe("the strict reader refuses", () => {
  const gaugeText = "# HELP a b\n# TYPE a gauge\na 1\n";
  const buckets = (...lines: string[]) =>
    `# HELP a b\n# TYPE a histogram\n${lines.map((line) => `a_${line}\n`).join("")}`;

  test.each([
    ["a last line without an end", gaugeText.trimEnd()],
    ["an empty line", `${gaugeText}\n`],
    ["a metric that comes twice", gaugeText + gaugeText],
    ["a sample that comes twice", `${gaugeText}a 2\n`],
    ["a sample of another metric", `${gaugeText}b 2\n`],
    ["a type that is none", "# HELP a b\n# TYPE a number\na 1\n"],
    ["a name that is none", "# HELP a-b c\n# TYPE a-b gauge\na-b 1\n"],
    ["a value that is none", gaugeText.replace("a 1", "a one")],
    ["a label without an end", gaugeText.replace("a 1", 'a{x="y} 1')],
    ["a label twice", gaugeText.replace("a 1", 'a{x="y",x="z"} 1')],
    ["a metric without samples", "# HELP a b\n# TYPE a gauge\n"],
    ["a counter without _total", gaugeText.replace("gauge", "counter")],
    ["buckets that fall", buckets('bucket{le="1"} 2', 'bucket{le="+Inf"} 1', "sum 1", "count 1")],
    ["buckets without +Inf", buckets('bucket{le="1"} 1', "sum 1", "count 1")],
    ["a count that is not the last bucket", buckets('bucket{le="+Inf"} 1', "sum 1", "count 2")],
    ["a histogram without a sum", buckets('bucket{le="+Inf"} 1', "count 1")],
  ])("%s", (_, text) => {
    expect(() => parseMetrics(text)).toThrow();
  });
});
