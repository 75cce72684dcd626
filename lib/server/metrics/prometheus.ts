import type { Histogram } from "./metrics.ts";

/* Writes metrics in the text format of Prometheus, version 0.0.4. */

export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The text of a metric and its values. */
export type Family = string;

/** Writes a metric whose value goes up and down. */
export function gauge(name: string, help: string, value: number): Family {
  return family(name, help, "gauge", [sample(name, {}, value)]);
}

/** Writes a metric whose value only rises. @param name must end in `_total` */
export function counter(name: string, help: string, value: number): Family {
  return family(name, help, "counter", [sample(name, {}, value)]);
}

/** Writes a metric that has one value for each value of a label. */
export function byLabel(
  type: "gauge" | "counter",
  name: string,
  help: string,
  label: string,
  values: Record<string, number>,
): Family {
  const samples = Object.entries(values).map(([labelValue, value]) =>
    sample(name, { [label]: labelValue }, value),
  );
  return family(name, help, type, samples);
}

/** Writes a histogram. */
export function histogram(name: string, help: string, values: Histogram): Family {
  const buckets = [...values.buckets, { bound: "+Inf", count: values.count }];
  return family(name, help, "histogram", [
    ...buckets.map(({ bound, count }) => sample(`${name}_bucket`, { le: String(bound) }, count)),
    sample(`${name}_sum`, {}, values.sum),
    sample(`${name}_count`, {}, values.count),
  ]);
}

function family(name: string, help: string, type: string, samples: string[]): Family {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples, ""].join("\n");
}

function sample(name: string, labels: Record<string, string>, value: number): string {
  const pairs = Object.entries(labels).map(
    ([label, labelValue]) => `${label}="${escape(labelValue)}"`,
  );
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
}

function escape(value: string): string {
  return value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
}
