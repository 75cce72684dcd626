import { expect, test } from "bun:test";
import type { Download } from "../../../lib/server/download.ts";
import { CHANGED_AT_ONCE, type DeliveryChange } from "../../../lib/server/schedule.ts";
import { Deliveries } from "../../../lib/server/schedules/deliveries.ts";
import { atOnce } from "../../../lib/util/fair-turns.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { addClients, completedAt, Night, Rows, scheduleOf } from "./stage.ts";

const FROM = Date.parse("2026-06-01T12:00:00Z");
const NIGHT = Date.parse("2026-06-02T02:30:00Z");

test("many deliveries change in few statements, also where another server was first", async () => {
  await using store = await Rows.open();
  const { repository: rows } = store;
  const count = CHANGED_AT_ONCE + 1;
  await addClients(rows, count, ["UTC"]);
  const asked: Download[] = [];
  const night = new Night(rows, (downloads) => asked.push(...downloads));
  const schedule = scheduleOf({ since: FROM });
  await rows.schedules.insert(schedule);
  await night.begin(FROM);
  await night.at(NIGHT);
  const sizes: number[] = [];
  const lines: string[] = [];
  const deliveries = new Deliveries({
    rows: new Proxy(rows.deliveries, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (name !== "change" || typeof member !== "function") {
          return typeof member === "function" ? member.bind(target) : member;
        }
        return async (changes: DeliveryChange[]) => {
          const [first] = changes;
          if (sizes.length === 0 && first) {
            const state = { ...first.delivery, status: "running" as const };
            await target.change([{ delivery: first.delivery, state }]);
          }
          sizes.push(changes.length);
          return target.change(changes);
        };
      },
    }),
    schedules: rows.schedules,
    now: () => NIGHT + 1,
    logger: new Logger({ level: "info", format: "json", write: (line) => lines.push(line) }),
  });
  for (const download of asked) {
    await rows.replaceDownload(completedAt(download, NIGHT + 1), download);
  }
  for (const { jobId, clientId } of asked) deliveries.downloadChanged(jobId!, clientId);
  await deliveries.idle();
  const now = await rows.deliveries.list(
    schedule.scheduleId,
    { sites: null, limit: 1_000 },
    atOnce,
  );
  expect(now).toHaveLength(count);
  expect(new Set(now.map(({ status }) => status))).toEqual(new Set(["received"]));
  const revisions = now.map(({ revision }) => revision).toSorted();
  expect(revisions).toEqual([...Array<number>(count - 1).fill(2), 3]);
  expect(lines.filter((line) => line.includes("delivery received"))).toHaveLength(count);
  // The batches: a full one, the remaining delivery, and a repetition of the one whose first change failed.
  expect(sizes).toEqual([CHANGED_AT_ONCE, 1, 1]);
});
