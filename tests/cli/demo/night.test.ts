import { expect, test } from "bun:test";
import type { DeliveryRecord } from "../../../lib/api/deliveries.ts";
import { boardLines } from "../../../lib/cli/demo/night.ts";

const PLAIN = { colour: false, live: false, columns: () => 80 };

const delivery = (
  client_id: string,
  scheduled_local: string,
  status: DeliveryRecord["status"],
): DeliveryRecord => ({
  client_id,
  scheduled_local,
  scheduled_at: `${scheduled_local}.000Z`,
  time_zone: "UTC",
  status,
  due_at: `${scheduled_local}.000Z`,
  job_id: null,
  download_id: null,
  files: 0,
  bytes: 0,
});

test("sites by nights, the oldest night first, and who owes the last one", () => {
  const [first, second] = ["2026-11-30T02:30:00", "2026-11-30T02:30:05"] as const;
  const lines = boardLines(
    [
      delivery("b", second, "missing"),
      delivery("a", second, "late"),
      delivery("b", first, "received"),
      delivery("a", first, "partial"),
    ],
    PLAIN,
  );
  expect(lines).toEqual([
    "site  night 1     night 2",
    "a     partial     ◷ late",
    "b     ✓ received  ✗ missing",
    "",
    "1 missing of 2  b",
  ]);
  expect(boardLines([delivery("a", first, "received")], PLAIN).at(-1)).toBe("0 missing of 1");
});
