import { drawGraph, type Line, type Panel } from "./graph.ts";
import type { Holding, Sample } from "./gauges.ts";
import type { StormOptions } from "./storm.ts";

const MiB = 1024 * 1024;

/** All that is known of a soak when it is over. */
export interface Report {
  options: StormOptions & { clients: number };
  /** What must not be, one line each. */
  violations: string[];
  /** The last errors in the server's log, which a violation may come from. */
  serverErrors: string[];
  /** What was not tried here, and why. */
  notTried: string[];
  /** How many downloads ended in which way. */
  downloads: Record<string, number>;
  /** How often each fault struck. */
  faults: Record<string, number>;
  /** What grew or did not, in words. */
  growth: string[];
  samples: Sample[];
}

/** For a person, line by line; the last one is the verdict. */
export function linesOf(report: Report): string[] {
  const counted = (counts: Record<string, number>) =>
    Object.entries(counts).map(([name, count]) => `  ${String(count).padStart(7)}  ${name}`);
  return [
    "downloads:",
    ...counted(report.downloads),
    "faults:",
    ...counted(report.faults),
    ...report.growth,
    ...report.notTried.map((what) => `not tried: ${what}`),
    ...(report.violations.length > 0 ? report.serverErrors : []),
    ...report.violations.map((what) => `VIOLATION ${what}`),
    report.violations.length === 0
      ? "verdict: passed, A to F held and nothing grew"
      : `verdict: FAILED, ${report.violations.length} violations`,
  ];
}

export function graphOf({ options, samples }: Report): string {
  const { minutes, clients, seed } = options;
  return drawGraph({
    title: `Soak: ${minutes} min, ${clients} clients, seed ${seed}`,
    timeTitle: "time (min)",
    times: samples.map(({ minute }) => minute),
    panels: [
      panel("memory (MiB)", samples, ({ memory }) => memory / MiB),
      panel("descriptors", samples, ({ descriptors }) => descriptors),
      {
        title: "event-loop lag (ms)",
        lines: [
          line("worst, at most", "#d62728", samples, ({ lag }) => lag && lag.worst),
          line("mean", "#1f77b4", samples, ({ lag }) => lag && lag.mean),
        ],
      },
    ],
  });
}

function panel(title: string, samples: Sample[], of: (holding: Holding) => number): Panel {
  return {
    title,
    lines: [
      line("server", "#1f77b4", samples, ({ server }) => server && of(server)),
      line("steady clients, together", "#2ca02c", samples, (s) => s.clients && of(s.clients)),
    ],
  };
}

function line(
  name: string,
  color: string,
  samples: Sample[],
  of: (sample: Sample) => number | null,
): Line {
  return { name, color, values: samples.map(of) };
}
