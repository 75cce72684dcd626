import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import { api } from "../../lib/dashboard/api.ts";
import { DeliveryBook } from "../../lib/dashboard/schedules/delivery-book.ts";
import { DeliveryLoader } from "../../lib/dashboard/schedules/delivery-loader.ts";

const NIGHT = "2026-11-30T02:30:00";
const NOBODY = {
  expected: [],
  running: [],
  received: [],
  partial: [],
  late: [],
  missing: [],
  skipped: [],
};

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Advances the clock by `ms` milliseconds, and lets pending promises settle. */
async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

test("a changed night is loaded at once, and once more when the server has judged it", async () => {
  // The board shows the delivery as missing until the server has judged it. No event reports that change.
  let received = false;
  using board = spyOn(api, "board").mockImplementation(async () => ({
    times: [
      {
        scheduled_local: NIGHT,
        clients: received ? { ...NOBODY, received: ["a"] } : { ...NOBODY, missing: ["a"] },
        next_due_at: null,
        job_ids: [],
      },
    ],
    next_cursor: null,
  }));
  const book = new DeliveryBook();
  const onFailed = (error: unknown) => {
    throw error;
  };
  const loader = new DeliveryLoader(book, { onLoaded: () => undefined, onFailed });
  loader.show("nightly");
  await pass(0);
  loader.touch(NIGHT);
  await pass(0);
  expect(board).toHaveBeenCalledTimes(2);
  expect(book.get(NIGHT, "a")).toBe("missing");
  received = true;
  await pass(3_000);
  await pass(0);
  expect(book.get(NIGHT, "a")).toBe("received");
  await pass(60_000);
  await pass(0);
  expect(board).toHaveBeenCalledTimes(3);
});
