import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Fleet } from "../support/fleet.ts";
import { runProgram, Screen } from "../support/operator.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Schedules on the command line. Scripted sites answer the server's requests. */

let system: System;
let fleet: Fleet;

beforeAll(async () => {
  system = await System.start({ LOG_LEVEL: "warn" });
  fleet = new Fleet(system.url);
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const fds = (...words: string[]) => runProgram(system, ["fds", ...words]);
const json = async (...words: string[]) => {
  const { stdout, stderr, exitCode } = await fds(...words, "--json");
  return { exitCode, stderr, value: JSON.parse(stdout) as Record<string, unknown> };
};

const NIGHTLY = ["schedule", "nightly", "create", "30 2 * * *", "sales-{date-1d}.csv"];

test("every night at 2:30 there, due at 4, kept 90 days, is one command on an empty server", async () => {
  const made = await json(...NIGHTLY, "--due", "04:00", "--keep-days", "90");
  expect(made).toMatchObject({
    exitCode: 0,
    value: {
      name: "nightly",
      cron: "30 2 * * *",
      time_zone: "site",
      due: { at: "04:00" },
      keep: { days: 90 },
      expect: { files: 1, bytes: 0 },
      job: { clients: { all: true }, download: { file_path: "sales-{date-1d}.csv" } },
    },
  });
  const again = await fds(...NIGHTLY);
  expect(again.exitCode).toBe(1);
  expect(again.stderr).toContain("Choose another name");
});

test("a schedule is shown, run, paused, resumed and deleted", async () => {
  await fleet.join(["site-1"], "deliver", { time_zone: "Asia/Tokyo" });
  await fleet.join(["site-2"], "refuse", { time_zone: "Asia/Tokyo" });
  const dry = await fds("schedule", "other", "create", "0 9 * * *", "--dry-run", "--count", "1");
  expect(dry.stdout).toMatch(/^Asia\/Tokyo\t[\d-]{10}T09:00:00\t[\d-]{10}T00:00:00.000Z\n$/);
  expect(await fds("schedule", "other")).toMatchObject({ exitCode: 1 });
  const preview = await fds("schedule", "nightly", "preview", "--count", "2");
  expect(preview.stdout).toMatch(
    /^(?:Asia\/Tokyo\t[\d-]{10}T02:30:00\t[\d-]{10}T17:30:00.000Z\n){2}$/,
  );
  const { value } = await json("schedule", "nightly", "run");
  expect(value["jobs"]).toMatchObject([{ time_zone: "Asia/Tokyo", total: 2 }]);
  const received = async () => {
    const { stdout } = await fds("deliveries", "nightly", "--status", "received");
    return /^site-1\t[\d-]{10}T[\d:]{8}\treceived\t/.test(stdout);
  };
  await waitFor(received, "the file to come");
  const owed = await json("deliveries", "nightly", "--client", "site-2");
  expect(owed.value["deliveries"]).toMatchObject([{ client_id: "site-2", status: "expected" }]);
  const listed = await fds("schedules");
  expect(listed.stdout).toMatch(/^nightly\t30 2 \* \* \*\tsite\t[^\t]+\t[^\t]+\t1\t0\n$/);
  await using screen = new Screen(system, ["fds", "schedule", "nightly"], { columns: 100 });
  await screen.shows(/each site's own/);
  await screen.shows(/last +[\d-]{10} [\d:]{5,8} there: 1 expected, 1 received/);
  await screen.shows(/02:30 in Asia\/Tokyo/);
  expect(await screen.ended()).toBe(0);
  expect((await json("schedule", "nightly", "pause")).value["paused"]).toBe(true);
  expect((await fds("schedules")).stdout).toContain("\tpaused\t");
  expect((await json("schedule", "nightly", "resume")).value["paused"]).toBe(false);
  expect(await fds("schedule", "nightly", "delete")).toMatchObject({ exitCode: 0 });
  expect(await fds("schedule", "nightly")).toMatchObject({ exitCode: 1 });
  expect((await json("schedules")).value).toEqual({ schedules: [] });
});

describe("what is wrong", () => {
  test.each<[string[], number, string]>([
    [["schedule", "a", "create", "30 2 * *"], 2, 'error: CRON is "30 2 * *", expected five fields'],
    [["schedule", "a", "create"], 2, 'error: CRON is "", expected five fields'],
    [["schedule", "a b", "create", "@daily"], 2, 'error: NAME is "a b", expected'],
    [["schedule", "a", "create", "@daily", "--due", "4"], 2, 'error: --due is "4", expected'],
    [["schedule", "a", "create", "@daily", "--time-zone", "X"], 2, 'error: --time-zone is "X"'],
    [["schedule", "a", "begin"], 2, 'error: unknown word "begin", expected fds schedule NAME'],
    [["schedule", "a", "pause", "now"], 2, 'error: unexpected word "now"'],
    [["schedule", "a", "run", "--at", "today"], 2, 'error: --at is "today", expected a local time'],
    [["deliveries", "a", "--from", "then"], 2, 'error: --from is "then", expected a local date'],
    [["deliveries", "a"], 1, "There is no schedule of this name"],
    [["schedule", "a", "create", "@daily", "{dates}"], 2, "FILE is"],
  ])("%p is said in one line", async (words, exitCode, error) => {
    const answer = await fds(...words);
    expect(answer).toMatchObject({ exitCode, stdout: "" });
    expect(answer.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(answer.stderr).toContain(error);
  });
});
