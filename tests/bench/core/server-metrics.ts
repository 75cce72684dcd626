import { Failure } from "../../../lib/cli/program.ts";
import { type Family, parseMetrics, valueOf } from "../../support/prometheus.ts";
import { API_TOKEN, type System } from "../../support/system.ts";

export type ServerMetrics = Map<string, Family>;

/**
 * Reads the server's /metrics.
 * @throws Failure if the server answers with an error
 */
export async function readMetrics({ url }: Pick<System, "url">): Promise<ServerMetrics> {
  const response = await fetch(`${url}/metrics`, {
    headers: { authorization: `Bearer ${API_TOKEN}` },
  });
  if (!response.ok) throw new Failure(`the server's /metrics answered ${response.status}`);
  return parseMetrics(await response.text());
}

/**
 * Returns an upper bound of the longest event-loop lag between two readings, in ms. It is the bound of the
 * histogram's highest bucket that grew.
 */
export function worstLag(before: ServerMetrics, after: ServerMetrics): number {
  const name = "fds_event_loop_lag_seconds_bucket";
  const buckets = after
    .get("fds_event_loop_lag_seconds")!
    .samples.filter((one) => one.name === name);
  const since = ({ labels }: { labels: Record<string, string> }) =>
    valueOf(after, name, labels) - valueOf(before, name, labels);
  const all = since(buckets.at(-1)!);
  const worst = buckets.find((bucket) => since(bucket) === all)!.labels["le"]!;
  return Number(worst.replace("+Inf", "Infinity")) * 1000;
}
