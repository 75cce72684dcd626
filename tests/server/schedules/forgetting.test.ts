import { expect, test } from "bun:test";
import { Forgetting } from "../../../lib/server/schedules/forgetting.ts";
import type { Delivery } from "../../../lib/server/schedule.ts";
import { atOnce } from "../../../lib/util/fair-turns.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { Rows, scheduleOf } from "./stage.ts";

/* Old deliveries are removed from the database. */

const DAY = 86_400_000;
const NOW = Date.parse("2026-11-30T12:00:00Z");
const KEPT = 30;

test("each schedule's board goes back as far as it is kept, however much there is", async () => {
  await using store = await Rows.open();
  const { deliveries, schedules } = store.repository;
  const all = ["a", "b"].map((name) => scheduleOf({ name }));
  const gone = scheduleOf({ name: "gone" });
  for (const schedule of [...all, gone]) {
    await schedules.insert(schedule);
    for (let day = 0; day < 40; day++) {
      const at = NOW - day * DAY;
      const localTime = new Date(at).toISOString().slice(0, 19);
      const rowOf = (n: number): Delivery => ({
        scheduleId: schedule.scheduleId,
        clientId: `site-${n}`,
        localTime,
        timeZone: "UTC",
        scheduledAt: at,
        dueAt: at,
        jobId: Bun.randomUUIDv7(),
        status: "received",
        downloadId: null,
        files: 1,
        bytes: 1,
        revision: 1,
      });
      await deliveries.insert(Array.from({ length: 20 }, (_, n) => rowOf(n)));
    }
  }
  await schedules.remove(gone.scheduleId);
  const logger = new Logger({ level: "error", format: "json", write: () => undefined });
  const forgetting = new Forgetting({ rows: schedules, keep: KEPT * DAY, now: () => NOW, logger });
  await forgetting.forget();
  const nightsOf = async (scheduleId: string) => {
    const found = await deliveries.list(scheduleId, { sites: null, limit: 9_999 }, atOnce);
    expect(found.length % 20).toBe(0);
    return new Set(found.map(({ localTime }) => localTime));
  };
  for (const { scheduleId } of all) {
    const nights = await nightsOf(scheduleId);
    expect(nights.size).toBeWithin(KEPT, KEPT + 3);
    expect(nights).toContain(new Date(NOW).toISOString().slice(0, 19));
  }
  expect(await nightsOf(gone.scheduleId)).toEqual(new Set());
  expect(await schedules.byId(gone.scheduleId)).toBeNull();
});
