import { drawGraph, type Line, type Panel } from "./graph.ts";
import type { Holding, Sample } from "./gauges.ts";
import type { StormOptions } from "./storm.ts";

const MiB = 1024 * 1024;

/** The result of a soak test. */
export interface Report {
  options: StormOptions & { clients: number };
  /** Violations of the invariants, one line each. */
  violations: string[];
  /** The last errors of the server's log, which may explain a violation. */
  serverErrors: string[];
  /** Faults that could not be tried on this machine, with the reason. */
  notTried: string[];
  /** Number of downloads by final status. */
  downloads: Record<string, number>;
  /** Number of times that each fault happened. */
  faults: Record<string, number>;
  /** For each resource, a line that says whether it grew. */
  growth: string[];
  samples: Sample[];
}

/** Formats a report as lines for a terminal. The last line is the verdict. */
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
