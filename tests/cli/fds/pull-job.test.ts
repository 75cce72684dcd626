import { expect, test } from "bun:test";
import { NewJob } from "../../../lib/api/jobs.ts";
import { orderOf } from "../../../lib/cli/fds/pull-job.ts";

const named = (count: number) => Array.from({ length: count }, (_, n) => `site-${n}`);
const download = { file_path: "a.txt" };
const all = { all: true } as const;
const west = { labels: "region=west" };

test.each([
  ["all of them", all, 3, [], all, download],
  ["as many as a request can name", west, 10_000, ["away"], { ids: named(10_000) }, download],
  ["more than that", west, 10_001, ["away"], west, { ...download, if_offline: "fail" }],
  ["more than that, all of them", all, 14_000, [], all, download],
] as const)("a job asks those that are connected: %s", (_, wanted, count, away, ...expected) => {
  const order = orderOf({ clients: wanted, download }, named(count), [...away]);
  expect([order.clients, order.download] as unknown).toEqual(expected);
  expect(NewJob.safeParse(order).success).toBe(true);
});
