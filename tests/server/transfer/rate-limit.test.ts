import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { FlowControl } from "../../../lib/server/transfer/flow-control.ts";
import { MAX_UNFLUSHED } from "../../support/streams.ts";

/* How a rate limit holds back the credit of a stream. */

const KiB = 1024;
const MiB = 1024 * KiB;

describe("a limit on the rate", () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** Opens a stream of 100 MiB with a rate limit, whose client sends all granted bytes at once. */
  function paced(rateLimit: number | null) {
    let granted = 0;
    const credit = new FlowControl(128 * MiB).open({
      offset: 0,
      maxUnflushed: MAX_UNFLUSHED,
      rateLimit,
      roundTripMs: () => 1,
      onGrant: (maxOffset) => queueMicrotask(() => write(maxOffset)),
    });
    const write = (maxOffset: number) => {
      credit.wrote(maxOffset - granted);
      credit.flushed(maxOffset);
      granted = maxOffset;
    };
    credit.setEnd(100 * MiB);
    credit.grant();
    return {
      credit,
      grantedAfter: async (ms: number) => {
        for (let step = 0; step < ms; step++) {
          jest.advanceTimersByTime(1);
          for (let turn = 0; turn < 8; turn++) await Promise.resolve();
        }
        return granted;
      },
    };
  }

  test.each([
    ["10 KiB", 10 * KiB],
    ["1 MiB", MiB],
    ["8 MiB", 8 * MiB],
  ])("of %s a second is used up and never exceeded by more than a burst", async (_, rate) => {
    const { credit, grantedAfter } = paced(rate);
    const burst = rate / 10;
    for (let second = 1; second <= 5; second++) {
      const granted = await grantedAfter(1000);
      expect(granted).toBeGreaterThan(second * rate - burst);
      expect(granted).toBeLessThanOrEqual(second * rate + burst);
    }
    credit.close();
  });

  test("is raised, lowered and lifted while it runs", async () => {
    const { credit, grantedAfter } = paced(10 * KiB);
    const before = await grantedAfter(1000);
    credit.limitRate(MiB);
    const raised = await grantedAfter(1000);
    expect(raised - before).toBeGreaterThan(0.8 * MiB);
    credit.limitRate(10 * KiB);
    const lowered = await grantedAfter(1000);
    expect(lowered - raised).toBeLessThan(200 * KiB);
    credit.limitRate(null);
    expect(await grantedAfter(1000)).toBe(100 * MiB);
    credit.close();
  });

  test("leaves no timer behind", async () => {
    const { credit } = paced(10 * KiB);
    expect(jest.getTimerCount()).toBe(1);
    credit.close();
    expect(jest.getTimerCount()).toBe(0);
  });
});
