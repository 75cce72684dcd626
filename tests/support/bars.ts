import type { BarState } from "../../lib/cli/terminal/progress.ts";

const MIB = 1024 ** 2;

/** The progress bar of a running download, 63 of 100 MiB. */
export const half: BarState = {
  label: "restaurant-001",
  done: 63 * MIB,
  total: 100 * MIB,
  bytesPerSecond: 410.1 * MIB,
  etaSeconds: 3.2,
  note: null,
  tone: "active",
};
/** The progress bar of a queued download. */
export const queued: BarState = {
  ...half,
  done: 0,
  total: null,
  bytesPerSecond: null,
  etaSeconds: null,
  note: "queued",
};
/** The progress bar of a completed download. */
export const completed: BarState = { ...half, done: 100 * MIB, note: "completed", tone: "good" };
