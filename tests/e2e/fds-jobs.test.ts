import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Fleet, idsOf } from "../support/fleet.ts";
import { runProgram, Screen, startProgram } from "../support/operator.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Labels and jobs on the command line. Scripted sites answer the server's requests. */

let system: System;
let fleet: Fleet;

beforeAll(async () => {
  system = await System.start({ LOG_LEVEL: "warn" });
  fleet = new Fleet(system.url);
  await fleet.join(idsOf(40));
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

describe("labels", () => {
  test("are set, removed, and choose clients", async () => {
    const set = await json("label", "site-1", "region=west", "tier=gold");
    expect(set.value["labels"]).toEqual({ region: "west", tier: "gold" });
    const removed = await json("label", "site-1", "tier-", "size=m");
    expect(removed.value["labels"]).toEqual({ region: "west", size: "m" });
    await fds("label", "site-2", "region=west");
    const { stdout } = await fds("clients", "-l", "region=west,!size");
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => line.split("\t")[0])).toEqual(["site-2"]);
    expect(lines[0]).toContain("\tregion=west\t");
  });

  test.each([
    [["label", "site-1", "region"], 'error: LABEL is "region", expected KEY=VALUE'],
    [["label", "site-1", "a=ü"], 'error: LABEL is "a=ü", expected KEY=VALUE'],
    [["label", "site-1"], "error: CLIENT LABEL… is missing"],
    [["clients", "-l", "a=="], 'error: --labels "a==" is wrong at character 4: expected a value'],
    [["pull", "--all", "-l", "a"], "error: --all is for every client"],
    [["pull", "--ids", "ü"], 'error: --ids is "ü", expected an id, or a pattern'],
    [["pull", "-l", "a", "--spread", "0s"], 'error: --spread is "0s", expected'],
    [["pull", "site-1", "a.txt", "--keep-days", "3"], "error: --keep-days is for many clients: "],
    [["pull", "site-1", "a.txt", "--spread", "5m"], "error: --spread is for many clients: "],
    [["job", "0198c0de", "stop"], 'error: unknown word "stop", expected fds job ID'],
    [["token", "create", "x", "--role", "viewer", "-l", "("], 'error: --labels "(" is wrong at'],
  ])("that are wrong are told in one line: %j", async (words, message) => {
    const { exitCode, stdout, stderr } = await fds(...words);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toStartWith(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("are given by enrolment keys, and limit tokens", async () => {
    const key = await json("enroll", "create", "spring", "--id", "x", "--label", "kind=till");
    expect(key.value["record"]).toMatchObject({ labels: { kind: "till" } });
    const token = await json("token", "create", "west", "--role", "viewer", "-l", "region=west");
    expect(token.value["record"]).toMatchObject({ labels: "region=west", sites: null });
    const { stdout } = await fds("token", "list");
    expect(stdout).toMatch(/^west\tviewer\tregion=west\tgood\t/m);
  });
});

describe("many clients", () => {
  test("are asked by one job, which is shown to its end", async () => {
    const pulled = await json("pull", "--ids", "site-1*", "a.txt", "--name", "ones");
    expect(pulled.exitCode).toBe(0);
    const { job, downloads } = pulled.value;
    expect(job).toMatchObject({ name: "ones", status: "completed", total: 11 });
    expect(downloads).toHaveLength(11);
    const { exitCode, stdout, stderr } = await fds("pull", "-l", "region=west");
    expect(exitCode).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(2);
    expect(stderr).toMatch(/^job [\da-f-]{36} {2}2 clients$/m);
    expect(stderr).toContain("2 of 2  100%");
    const jobs = (await json("jobs")).value["jobs"] as object[];
    expect(jobs).toHaveLength(2);
  });

  test("more than a screen has bars for have one together; who failed is named", async () => {
    fleet.site("site-7").go("refuse");
    const { exitCode, stdout, stderr } = await fds("pull", "--all");
    expect(exitCode).toBe(1);
    expect(stdout.trimEnd().split("\n")).toHaveLength(40);
    expect(stderr).toContain("40 of 40  100%");
    expect(stderr).toMatch(
      /^error: 39 of 40 files verified, .+, 1 did not arrive, site-7: .+; fds job [\da-f-]{36} rerun asks again$/m,
    );
    const [, id = ""] = /fds job ([\da-f-]{36})/.exec(stderr) ?? [];
    const job = await json("job", id);
    expect(job.value).toMatchObject({
      status: "failed",
      counts: { completed: 39, failed: 1 },
      failures: [{ client_id: "site-7", error_code: "file_not_found" }],
    });
    fleet.site("site-7").go("deliver");
    expect((await fds("job", id, "rerun")).exitCode).toBe(0);
    await fleet.jobThatIs(id, ({ status }) => status === "completed", "its end");
    expect((await fds("job", id, "cancel")).stderr).toBe("error: The job is completed already\n");
  });

  test.each([3, 40])("of which %p wait are shown as paused, and how to go on", async (count) => {
    fleet.go("hold");
    const words = idsOf(count).flatMap((id) => ["--ids", id]);
    const child = startProgram(system, ["fds", "pull", ...words, "--max-concurrent", "1"]);
    let told = "";
    const listening = (async () => {
      const decoder = new TextDecoder();
      for await (const bytes of child.stderr) told += decoder.decode(bytes, { stream: true });
    })();
    await waitFor(() => [...fleet.sites.values()].some((site) => site.held.length > 0), "one");
    const [, jobId = ""] = await waitFor(() => /^job (\S+)/.exec(told), "the job's id");
    await fds("job", jobId, "pause");
    const paused = `paused: until fds job ${jobId.slice(0, 18)} resume\n`;
    await waitFor(() => told.includes(paused), "it to be paused");
    fleet.go("deliver");
    await fds("job", jobId, "resume");
    expect(await child.exited).toBe(0);
    await listening;
  });

  test("that wait for a paused job have that on their bars", async () => {
    fleet.go("hold");
    const words = idsOf(2).flatMap((id) => ["--ids", id]);
    const command = ["fds", "pull", ...words, "--max-concurrent", "1", "--name", "screen"];
    await using screen = new Screen(system, command, { columns: 120 });
    await screen.shows(/starting/);
    const [{ job_id = "" } = {}] = (await system.api.jobs({})).jobs;
    await system.api.pauseJob(job_id);
    expect(await screen.shows(/paused: until fds job \S+ resume/)).toMatch(
      /^site-\d .* paused +$/m,
    );
    await system.api.resumeJob(job_id);
    await screen.shows(/queued/);
    fleet.go("deliver");
    expect(await screen.ended()).toBe(0);
  });

  test("wait, are paused, resumed and cancelled", async () => {
    fleet.go("hold");
    const jobId = await fleet.makeJob({ clients: { ids: idsOf(3) }, max_concurrent: 1 });
    await waitFor(() => [...fleet.sites.values()].some((site) => site.held.length > 0), "one");
    expect((await json("job", jobId, "pause")).value).toMatchObject({ status: "paused" });
    expect((await json("job", jobId, "resume")).value).toMatchObject({ status: "running" });
    const { exitCode, stdout } = await fds("job", jobId, "cancel");
    expect(exitCode).toBe(0);
    expect(stdout).toStartWith(`${jobId}\tcancelled\t`);
    const { stdout: fields } = await fds("job", jobId.slice(0, 30));
    expect(fields).toContain("cancelled");
    fleet.go("deliver");
  });
});
