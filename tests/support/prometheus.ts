/** A metric family in Prometheus's text format. */
export interface Family {
  type: string;
  help: string;
  samples: Sample[];
}

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gy;
const VALUE = /^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN)$/;
/** Suffixes that the sample names of each metric type may have. */
const SUFFIXES: Record<string, string[]> = {
  gauge: [""],
  counter: [""],
  histogram: ["_bucket", "_sum", "_count"],
};

/**
 * Parses the text format 0.0.4, as strictly as Prometheus does.
 * @throws Error with the offending line
 */
export function parseMetrics(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: { name: string; family: Family } | undefined;
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  for (const line of text.slice(0, -1).split("\n")) {
    const refuse = (why: string) => new Error(`${why}: ${line}`);
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment) {
      const [, kind, name = "", rest = ""] = comment;
      if (!NAME.test(name)) throw refuse("no name");
      if (kind === "HELP") {
        if (families.has(name)) throw refuse("a second time");
        current = { name, family: { type: "", help: rest, samples: [] } };
        families.set(name, current.family);
      } else {
        if (current?.name !== name || current.family.type) throw refuse("TYPE without its HELP");
        if (!(rest in SUFFIXES)) throw refuse("no type");
        current.family.type = rest;
      }
      continue;
    }
    const sample = readSample(line);
    if (!sample) throw refuse("no sample");
    const suffixes = SUFFIXES[current?.family.type ?? ""] ?? [];
    if (!suffixes.some((suffix) => sample.name === `${current?.name}${suffix}`)) {
      throw refuse("a sample outside its metric");
    }
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).toSorted()]);
    if (seen.has(key)) throw refuse("a sample a second time");
    seen.add(key);
    current?.family.samples.push(sample);
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function readSample(line: string): Sample | null {
  const [, name, inner = "", value = ""] = SAMPLE.exec(line) ?? [];
  if (name === undefined || !VALUE.test(value)) return null;
  const labels: Record<string, string> = {};
  let at = 0;
  for (const [all, label = "", of = ""] of inner.matchAll(LABEL)) {
    if (label in labels) return null;
    labels[label] = of.replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));
    at += all.length;
  }
  if (at < inner.length) return null;
  return { name, labels, value: Number(value.replace("Inf", "Infinity")) };
}

function checkFamily(name: string, { type, samples }: Family): void {
  const refuse = (why: string) => new Error(`${name}: ${why}`);
  if (samples.length === 0) throw refuse("no samples");
  if ((type === "counter") !== name.endsWith("_total")) throw refuse("_total is for counters");
  if (type !== "gauge" && samples.some(({ value }) => !(value >= 0))) throw refuse("below 0");
  if (type !== "histogram") return;
  const buckets = samples.filter((sample) => sample.name.endsWith("_bucket"));
  const bounds = buckets.map(({ labels }) => Number(labels["le"]?.replace("Inf", "Infinity")));
  const rises = (values: number[], equal: boolean) =>
    values.every(
      (value, n) => n === 0 || value > values[n - 1]! || (equal && value === values[n - 1]),
    );
  if (!rises(bounds, false) || bounds.at(-1) !== Infinity) throw refuse("bounds out of order");
  const counts = buckets.map(({ value }) => value);
  if (!rises(counts, true)) throw refuse("counts that fall");
  const count = samples.find((sample) => sample.name === `${name}_count`)?.value;
  if (count !== counts.at(-1)) throw refuse("not all in the last bucket");
  if (!samples.some((sample) => sample.name === `${name}_sum`)) throw refuse("no sum");
}

/** Returns the value of the sample with this name and these labels. @throws Error if there is none */
export function valueOf(
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const all = [...families.values()].flatMap(({ samples }) => samples);
  const found = all.find((one) => one.name === name && Bun.deepEquals(one.labels, labels));
  if (!found) throw new Error(`there is no ${name} ${JSON.stringify(labels)}`);
  return found.value;
}
