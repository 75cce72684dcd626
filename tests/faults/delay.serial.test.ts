import { expect, setDefaultTimeout, test } from "bun:test";
import { delivered, KiB, MiB, setStage } from "./stage.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Row 17 of the fault table: throughput over a long delay. This test runs alone, because it measures time. */

/** Minimum throughput, as a share of what the link and the window allow. */
const SHARE = 0.8;

interface Case {
  /** Round-trip time, in ms. */
  roundTrip: number;
  /** Rate of the link, in bytes per second. */
  link: number;
  /** The setting RECEIVE_BUDGET, in bytes. */
  window: number;
}

const NARROW_LINK = 20e6 / 8;

/** The link limits the throughput in the first three cases, the window in the last one. */
const CASES: Case[] = [
  { roundTrip: 50, link: NARROW_LINK, window: 16 * MiB },
  { roundTrip: 150, link: NARROW_LINK, window: 16 * MiB },
  { roundTrip: 300, link: NARROW_LINK, window: 16 * MiB },
  { roundTrip: 300, link: Infinity, window: MiB },
];

test.concurrent.each(CASES)(
  "row 17: $roundTrip ms of delay, a link of $link bytes a second, a window of $window bytes",
  async ({ roundTrip, link, window }) => {
    const reachable = Math.min(link, window / (roundTrip / 1000));
    const size = Math.round(reachable * 5);
    await using stage = await setStage({
      size,
      env: { RECEIVE_BUDGET: String(window) },
      prepare: (proxy) => proxy.shape({ delay: roundTrip / 2, bytesPerSecond: link }),
    });
    const { system, proxy, invariants } = stage;
    // Timing starts after the first KiB, so that the opening of the file does not count. Both triggers
    // are set before the request, because a small transfer may be over at once.
    const first = proxy.after("up", KiB, () => undefined).then(() => performance.now());
    const last = proxy.after("up", size - 1, () => undefined);
    const downloadId = await system.pull("file");
    const begun = await first;
    await last;
    const reached = size / ((performance.now() - begun) / 1000);
    expect(reached / reachable).toBeGreaterThanOrEqual(SHARE);
    await invariants.expectAll(delivered(downloadId, stage, 0));
  },
);
