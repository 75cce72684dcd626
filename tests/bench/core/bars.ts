import type { ScenarioResult } from "./result.ts";

/** A bar: the limit that a figure of a scenario must meet on a machine with 2 cores. */
export interface Bar {
  what: string;
  scenario: string;
  figure: string;
  atLeast?: number;
  atMost?: number;
}

export interface Verdict {
  bar: Bar;
  /** Median of the figure over all rounds; null: not measured. */
  reached: number | null;
  verdict: "reached" | "missed" | "not measured";
}

/**
 * The bars of all scenarios. In a ratio of times, this project's time is the divisor, so a higher ratio is
 * better.
 */
export const BARS: Bar[] = [
  {
    what: "1 GiB to /dev/shm, MD5 at both ends, against two md5sum side by side",
    scenario: "1gib-memory",
    figure: "two md5sum ÷ ours, MD5",
    atLeast: 0.6,
  },
  {
    what: "the same, against the bare socket pair with MD5 and fsync",
    scenario: "1gib-memory",
    figure: "bare socket pair ÷ ours, MD5",
    atLeast: 0.95,
  },
  {
    what: "100 MiB to ext4, SHA-256, against rsync",
    scenario: "100mib-disk",
    figure: "rsync ÷ ours, SHA-256",
    atLeast: 0.95,
  },
  {
    what: "100 MiB to ext4, MD5, against rsync with MD5 and fsync",
    scenario: "100mib-disk",
    figure: "rsync, MD5 and fsync ÷ ours, MD5",
    atLeast: 1.15,
  },
  {
    what: "100 MiB to ext4, SHA-256 against MD5",
    scenario: "100mib-disk",
    figure: "ours, MD5 ÷ ours, SHA-256",
    atLeast: 1.4,
  },
  {
    what: "32 clients at once against one client, total",
    scenario: "32-clients",
    figure: "total ÷ one client",
    atLeast: 0.95,
  },
  {
    what: "32 clients at once, the slowest against the fastest",
    scenario: "32-clients",
    figure: "slowest ÷ fastest",
    atLeast: 0.8,
  },
  {
    what: "REST p99 during 32 pulls, ms",
    scenario: "32-clients",
    figure: "REST p99",
    atMost: 25,
  },
  {
    what: "memory of the server with 256 active pulls, MiB",
    scenario: "256-clients",
    figure: "peak memory of the server",
    atMost: 256,
  },
  {
    what: "memory of a client with one pull, MiB",
    scenario: "1gib-disk",
    figure: "ours, MD5, peak memory of a client",
    atMost: 90,
  },
  ...(
    [
      ["20 Mbit/s at 200 ms", 0.95],
      ["100 Mbit/s at 100 ms", 0.95],
      ["1 Gbit/s at 150 ms", 0.85],
    ] as const
  ).map(([link, atLeast]) => ({
    what: `share of a link of ${link}`,
    scenario: "wan",
    figure: `${link}, share of the link`,
    atLeast,
  })),
  {
    what: "share of a link of 1 Gbit/s at 150 ms with 100 MiB, by a client that pulled before",
    scenario: "wan-start",
    figure: "1 Gbit/s at 150 ms, second pull, share of the link",
    atLeast: 0.75,
  },
  {
    what: "/health p99 with 1,000,000 downloads, while a viewer asks for everything, ms",
    scenario: "stored",
    figure: "health p99 while a viewer asks for everything",
    atMost: 50,
  },
  {
    what: "logs on the link of 20 Mbit/s, zstd against raw",
    scenario: "compression",
    figure: "logs, zstd ÷ raw",
    atMost: 0.35,
  },
  {
    what: "random bytes on loopback, compression on against off",
    scenario: "compression",
    figure: "random bytes, off ÷ on",
    atLeast: 0.97,
  },
  {
    what: "server memory for each of 10,000 idle clients, KiB",
    scenario: "10000-idle",
    figure: "server memory each",
    atMost: 6,
  },
  {
    what: "files of 4 KiB from one client, a second",
    scenario: "small-files",
    figure: "downloads",
    atLeast: 300,
  },
  {
    what: "10,000 files of 4 KiB as a set, files a second",
    scenario: "set-small",
    figure: "files",
    atLeast: 5_000,
  },
  {
    what: "the same, against rsync that is flushed",
    scenario: "set-small",
    figure: "rsync -r and sync -f ÷ ours",
    atLeast: 0.5,
  },
  {
    what: "100,000 files of 1 KiB as a set, against ten times the time of 10,000",
    scenario: "set-tiny",
    figure: "ten times a tenth of them ÷ all of them",
    atLeast: 0.9,
  },
  {
    what: "memory of the server meanwhile, MiB",
    scenario: "set-tiny",
    figure: "peak memory of the server",
    atMost: 200,
  },
  {
    what: "memory of the client meanwhile, MiB",
    scenario: "set-tiny",
    figure: "peak memory of the client",
    atMost: 120,
  },
  {
    what: "1 GiB as a set of 1,000 files, against a single file",
    scenario: "set-large",
    figure: "a single file ÷ a set",
    atLeast: 0.95,
  },
  {
    what: "2,000 files of 2 KiB as a set on 20 Mbit/s at 200 ms, beyond the bytes, s",
    scenario: "set-wan",
    figure: "first pull, beyond the bytes",
    atMost: 3,
  },
  {
    what: "first page of 100,000 names, s",
    scenario: "set-listing",
    figure: "first page",
    atMost: 1,
  },
  {
    what: "a set of 10,000 files that did not change, s",
    scenario: "set-unchanged",
    figure: "nothing changed",
    atMost: 1.5,
  },
  {
    what: "the same, bytes on the wire, MiB",
    scenario: "set-unchanged",
    figure: "on the wire",
    atMost: 2,
  },
  {
    what: "event loop of the server while a job over 10,000 clients is made and runs, held at most, ms",
    scenario: "jobs",
    figure: "longest hold of the event loop meanwhile, processor time",
    atMost: 20,
  },
  {
    what: "the same, while it is cancelled and rerun, ms",
    scenario: "jobs",
    figure: "longest hold by cancel and rerun, processor time",
    atMost: 20,
  },
  {
    what: "1 GiB to S3, against a bare loop that stores its pieces one by one",
    scenario: "s3-1gib",
    figure: "PutObject, one by one ÷ to S3",
    atLeast: 0.7,
  },
  {
    what: "three servers on two cores, against one",
    scenario: "servers",
    figure: "three servers ÷ one server",
    atLeast: 0.9,
  },
];

/** Returns the text of a bar's limit, such as `≥ 0.6`. */
export function limitOf({ atLeast, atMost }: Bar): string {
  return atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`;
}

/**
 * Compares the measured medians with the bars, in the bars' order. Bars of scenarios that did not run are
 * left out.
 */
export function judge(bars: readonly Bar[], results: readonly ScenarioResult[]): Verdict[] {
  return bars.flatMap((bar): Verdict[] => {
    const result = results.find(({ name }) => name === bar.scenario);
    if (!result) return [];
    const reached = result.figures.find(({ name }) => name === bar.figure)?.median ?? null;
    if (reached === null) return [{ bar, reached, verdict: "not measured" }];
    const { atLeast = -Infinity, atMost = Infinity } = bar;
    return [
      { bar, reached, verdict: reached >= atLeast && reached <= atMost ? "reached" : "missed" },
    ];
  });
}
