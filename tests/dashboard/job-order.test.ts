import { describe, expect, test } from "bun:test";
import { NewJob } from "../../lib/api/jobs.ts";
import type { ClientRecord } from "../../lib/api/schemas.ts";
import {
  flawOfRate,
  type JobFields,
  matchWordsOf,
  orderOf,
} from "../../lib/dashboard/jobs/job-order.ts";
import { clientRecord } from "../support/records.ts";

const clients: ClientRecord[] = [
  clientRecord({ client_id: "till-1", connected: true, labels: { region: "west", tier: "gold" } }),
  clientRecord({ client_id: "till-2", connected: false, labels: { region: "west" } }),
  clientRecord({ client_id: "bar-1", connected: true, labels: { region: "east" } }),
  clientRecord({ client_id: "gone-1", connected: false, revoked_at: "2026-01-01T00:00:00.000Z" }),
];

const fields: JobFields = {
  sitesBy: "all",
  sites: "",
  what: "journal.txt",
  name: "",
  expiresIn: "",
  maxConcurrent: "",
  spread: "",
  rate: "",
  stopPercent: "",
  keepDays: "",
  keepLast: "",
  isContinuous: false,
  skipsUnchanged: true,
};

describe("who matches", () => {
  test.each<[Partial<JobFields>, string, number | null]>([
    [{ sitesBy: "all" }, "3 sites match, 2 online", 3],
    [{ sitesBy: "labels", sites: "" }, "", null],
    [{ sitesBy: "labels", sites: "region=west" }, "2 sites match, 1 online", 2],
    [{ sitesBy: "labels", sites: " tier = gold " }, "1 site matches, all online", 1],
    [{ sitesBy: "labels", sites: "!region" }, "No site matches", null],
    [
      { sitesBy: "labels", sites: "region=" },
      "This is wrong at character 8: expected a value, found the end",
      null,
    ],
    [{ sitesBy: "ids", sites: "till-* bar-1" }, "3 sites match, 2 online", 3],
    [{ sitesBy: "ids", sites: "till-*,\tbar-9" }, 'No site is "bar-9"', null],
    [{ sitesBy: "ids", sites: "gone-*" }, "No site matches", null],
    [{ sitesBy: "ids", sites: "gone-1" }, "1 site matches, none online", 1],
    [{ sitesBy: "labels", sites: "tier=new", isContinuous: true }, "No site matches yet", 0],
  ])("%p: %p", (typed, words, total) => {
    expect(matchWordsOf({ ...fields, ...typed }, clients)).toMatchObject({ words, total });
  });
});

describe("what is asked for", () => {
  test.each<[Partial<JobFields>, object]>([
    [{}, { clients: { all: true }, download: { file_path: "journal.txt" } }],
    [{ sitesBy: "labels", sites: " region=west " }, { clients: { labels: "region=west" } }],
    [{ sitesBy: "ids", sites: "a, b*\nc" }, { clients: { ids: ["a", "b*", "c"] } }],
    [{ what: "logs/" }, { download: { paths: ["logs/"], unchanged: "skip" } }],
    [
      { what: " a.txt\n\nb.txt ", skipsUnchanged: false },
      { download: { paths: ["a.txt", "b.txt"] } },
    ],
    [{ name: " Night " }, { name: "Night" }],
    [
      { expiresIn: "12h", isContinuous: true },
      { expires_in: "12h", membership: "continuous" },
    ],
    [
      { maxConcurrent: "5", spread: "30m" },
      { max_concurrent: 5, spread: "30m" },
    ],
    [{ stopPercent: "20" }, { stop_when: { failed_percent: 20, at_least: 10 } }],
    [{ rate: " 2 MiB" }, { download: { file_path: "journal.txt", rate_limit: 2_097_152 } }],
    [{}, { keep: null }],
    [{ keepDays: "90" }, { keep: { days: 90 } }],
    [{ keepDays: "90", keepLast: "7" }, { keep: { days: 90, last: 7 } }],
  ])("%p", (typed, expected) => {
    const order = orderOf({ ...fields, ...typed });
    expect(order).toMatchObject(expected);
    // The server accepts the order that the form makes.
    expect(NewJob.safeParse(JSON.parse(JSON.stringify(order))).success).toBe(true);
  });

  test.each([
    ["", ""],
    ["500KiB", ""],
    ["2 megabytes", "Say a size, such as 500KiB or 2MiB"],
    ["-1", "Say a size, such as 500KiB or 2MiB"],
  ])("a rate that is %j: %j", (text, flaw) => expect(flawOfRate(text)).toBe(flaw));

  test("is nothing as long as nobody is named", () => {
    expect(orderOf({ ...fields, sitesBy: "labels", sites: " " })).toBeNull();
  });
});
