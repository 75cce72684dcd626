import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { ON_S3 } from "../support/backend.ts";
import { lacksFaketime } from "../support/machine.ts";
import { Listener } from "../support/events.ts";
import { spawnSync } from "../support/spawn.ts";
import { writeRandom } from "../support/sources.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { WallClock } from "../support/wall-clock.ts";

setDefaultTimeout(TEST_LIMIT);

/* Retention with real programs, over REST: which files are kept, removed and held. */

async function call(
  system: System,
  method: string,
  path: string,
  body?: object,
  token = API_TOKEN,
) {
  const answer = await fetch(`${system.url}/api/${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const json = /json/.test(answer.headers.get("Content-Type") ?? "");
  return { status: answer.status, body: json ? (JSON.parse(text) as Record<string, unknown>) : {} };
}

const content = (system: System, id: string, query = "") =>
  call(system, "GET", `downloads/${id}/content${query}`);
const remove = (system: System, id: string, token?: string) =>
  call(system, "DELETE", `downloads/${id}/content`, undefined, token);
const hold = (system: System, id: string, isHeld: boolean, token?: string) =>
  call(system, "PATCH", `downloads/${id}`, { hold: isHeld }, token);

const pathOf = (system: System, record: DownloadRecord) =>
  join(system.folder, "downloads", record.saved_path ?? "nowhere");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-retention-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Pulls the files that match these patterns as a set, and waits until the download has ended. */
async function pullSet(system: System, paths: string[]): Promise<DownloadRecord> {
  const { body } = await call(system, "POST", "download", {
    client_id: "site-1",
    paths,
    unchanged: "skip",
  });
  return system.ended(String(body["download_id"]));
}

test("an admin removes what came: its record stays, its content is gone, and once more changes nothing", async () => {
  await using system = await System.start();
  await system.startClient();
  await writeRandom(system.source("a.bin"), 100_000);
  const record = await system.ended(await system.pull("a.bin"));
  const id = record.download_id;
  expect(record).toMatchObject({ hold: false, removed_at: null });
  const headers = { Authorization: `Bearer ${API_TOKEN}` };
  const feed = new Listener(await fetch(`${system.url}/api/events`, { headers }));

  const { token } = await system.api.createToken({ name: "night", role: "operator" });
  expect(await remove(system, id, token)).toMatchObject({
    status: 403,
    body: { code: "forbidden" },
  });
  expect(await hold(system, id, true, token)).toMatchObject({ status: 403 });
  expect(await hold(system, id, true)).toMatchObject({ status: 200, body: { hold: true } });
  expect(await remove(system, id)).toMatchObject({ status: 409, body: { code: "content_held" } });
  expect((await content(system, id)).status).toBe(200);
  expect(await hold(system, id, false)).toMatchObject({ status: 200, body: { hold: false } });

  const answer = await remove(system, id);
  expect(answer.status).toBe(200);
  expect(existsSync(pathOf(system, record))).toBe(false);
  const after = await system.api.download(id);
  expect(Date.parse(after.removed_at!)).toBeGreaterThanOrEqual(Date.parse(after.completed_at!));
  expect(after).toEqual({ ...record, removed_at: after.removed_at });
  expect(answer.body).toEqual(after);
  expect(await remove(system, id)).toEqual(answer);
  expect(await content(system, id)).toMatchObject({ status: 410, body: { code: "file_removed" } });
  const told = await feed.until(({ data }) => "removed_at" in data && data.removed_at !== null);
  expect(told).toMatchObject({ event: "download", data: after });
  await feed.close();
  const totals = await call(system, "GET", "totals?since=2020-01-01T00:00:00Z");
  expect(totals.body).toMatchObject({ downloads: { completed: 1 }, bytes_received: 100_000 });
  expect(await system.metric("fds_stored_bytes")).toBe(0);
  expect(await system.metric("fds_removed_bytes_total")).toBe(100_000);
  const { records } = await system.api.audit({ download_id: id });
  const acts = records.map(({ action, outcome, actor }) => `${action} ${outcome} ${actor}`);
  expect(acts).toContain("content_remove content_held API_TOKEN");
  expect(acts).toContain("content_remove ok API_TOKEN");
  expect(records.map(({ target }) => target)).toContain("hold");
});

test("what has not come cannot be removed, and can be held", async () => {
  await using system = await System.start();
  await system.startClient();
  const { download_id: failed } = await system.ended(await system.pull("none.bin"));
  await system.api.startDownload({ client_id: "site-1", file_path: "none.bin" });
  expect(await remove(system, failed)).toMatchObject({
    status: 409,
    body: { code: "download_not_finished" },
  });
  expect(await hold(system, failed, true)).toMatchObject({ status: 200, body: { hold: true } });
  const nobody = Bun.randomUUIDv7();
  expect(await remove(system, nobody)).toMatchObject({ status: 404 });
  expect(await hold(system, nobody, true)).toMatchObject({ status: 404 });
  for (const body of [{}, { hold: "yes" }, { hold: null }, { held: true }]) {
    const answer = await call(system, "PATCH", `downloads/${failed}`, body);
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  }
  // The rate limit of an ended download cannot be changed, so the whole request is refused.
  const both = { hold: false, rate_limit: 4096 };
  expect(await call(system, "PATCH", `downloads/${failed}`, both)).toMatchObject({ status: 409 });
  expect(await system.api.download(failed)).toMatchObject({ hold: true });
});

test("a set goes with its checksums, what a later one shares stays whole, and what is gone is sent again", async () => {
  await using system = await System.start();
  await mkdir(system.source("logs/deep"), { recursive: true });
  for (let n = 0; n < 5; n++)
    await writeFile(system.source(`logs/deep/${n}.log`), `${n}`.repeat(9));
  // Old modification times, so that the second set may take the files as unchanged.
  spawnSync([
    "touch",
    "-d",
    "2020-01-01",
    ...[0, 1, 2, 3, 4].map((n) => system.source(`logs/deep/${n}.log`)),
  ]);
  await system.startClient();
  const first = await pullSet(system, ["logs"]);
  const second = await pullSet(system, ["logs"]);
  expect(second).toMatchObject({ files_received: 0, files_unchanged: 5 });
  // On a disk, unchanged files are hard links and take no space. In a bucket, they are copies.
  expect(await system.metric("fds_stored_bytes")).toBe(ON_S3 === "" ? 45 : 90);

  expect((await remove(system, first.download_id)).status).toBe(200);
  const names = await readdir(join(system.folder, "downloads/site-1"));
  const name = second.saved_path!.split("/")[1]!;
  expect(names.toSorted()).toEqual([name, `${name}.md5`].toSorted());
  const sums = spawnSync(["md5sum", "-c", `${name}.md5`], {
    cwd: join(system.folder, "downloads/site-1"),
  });
  expect([sums.exitCode, sums.stdout.toString().match(/OK/g)?.length]).toEqual([0, 5]);
  expect(await system.metric("fds_stored_bytes")).toBe(45);
  const one = "?path=logs/deep/1.log";
  expect(await content(system, first.download_id, one)).toMatchObject({ status: 410 });
  expect(await content(system, first.download_id)).toMatchObject({ status: 410 });
  expect((await content(system, second.download_id, one)).status).toBe(200);
  const third = await pullSet(system, ["logs"]);
  expect(third).toMatchObject({ files_received: 0, files_unchanged: 5 });

  for (const set of [second, third]) await remove(system, set.download_id);
  expect(await system.published()).toEqual([]);
  expect(await system.metric("fds_stored_bytes")).toBe(0);
  expect(await system.parts()).toEqual([]);
  expect(await pullSet(system, ["logs"])).toMatchObject({ files_received: 5, files_unchanged: 0 });
});

describe("a quota", () => {
  const setUp = async () => {
    const system = await System.start({ QUOTA_PER_CLIENT: "1MiB" });
    await system.startClient();
    await writeRandom(system.source("a.bin"), 700_000);
    const first = await system.ended(await system.pull("a.bin"));
    const waiting = await system.pull("a.bin");
    await waitFor(
      async () => (await system.api.download(waiting)).error_code === "storage_full",
      "the second one to wait for room",
    );
    return { system, first, waiting };
  };

  test("has room at once for what was waiting, where a download is removed", async () => {
    const { system, first, waiting } = await setUp();
    await using _ = system;
    expect((await remove(system, first.download_id)).status).toBe(200);
    expect(await system.ended(waiting)).toMatchObject({ status: "completed" });
  });

  test("marks what people removed by hand before it blocks, also what is held", async () => {
    const { system, first, waiting } = await setUp();
    await using _ = system;
    await hold(system, first.download_id, true);
    await rm(pathOf(system, first));
    expect(await system.ended(waiting)).toMatchObject({ status: "completed" });
    expect(await system.api.download(first.download_id)).toMatchObject({
      hold: true,
      removed_at: expect.any(String),
    });
    expect(await content(system, first.download_id)).toMatchObject({ status: 410 });
    const { records } = await system.api.audit({ action: "content_remove" });
    expect(records).toMatchObject([{ outcome: "ok", actor: null, target: "removed by hand" }]);
  });
});

test("the last ones of a schedule are kept, of all its jobs together", async () => {
  await using system = await System.start();
  await system.startClient();
  await writeRandom(system.source("a.bin"), 1_000);
  const made = await call(system, "POST", "schedules", {
    name: "night",
    cron: "30 2 * * *",
    time_zone: "UTC",
    job: { clients: { ids: ["site-1"] }, download: { file_path: "a.bin" } },
    due: { after: "2h" },
    keep: { last: 2 },
    paused: true,
  });
  expect([made.status, made.body["error"]]).toEqual([201, undefined]);
  const stored = async () =>
    (await system.api.downloads({ status: "completed" })).downloads.filter(
      ({ removed_at }) => removed_at === null,
    );
  const seen = new Set<string>();
  for (let night = 1; night <= 4; night++) {
    const run = await call(system, "POST", "schedules/night/run", {});
    expect([run.status < 300, run.body["error"]]).toEqual([true, undefined]);
    await waitFor(async () => {
      for (const { download_id } of await stored()) seen.add(download_id);
      return seen.size === night;
    }, `night ${night}`);
  }
  await waitFor(async () => (await stored()).length === 2, "the first ones to be removed");
  const newest = [...seen].toSorted().slice(-2);
  expect((await stored()).map(({ download_id }) => download_id).toSorted()).toEqual(newest);
  await waitFor(async () => (await system.published()).length === 2, "their bytes to go");
});

describe.skipIf(lacksFaketime !== "")(`as days pass${lacksFaketime}:`, () => {
  test("what no rule keeps is removed when its time comes, what is held or has a rule is not", async () => {
    const clock = new WallClock(folder, "server");
    await using system = await System.start({ KEEP_DAYS: "1", ...clock.env });
    await system.startClient();
    await writeRandom(system.source("a.bin"), 1_000);
    const pull = async () => system.ended(await system.pull("a.bin"));
    const [plain, held, later] = [await pull(), await pull(), await pull()];
    await hold(system, held.download_id, true);
    const job = async (keep: object) => {
      const asked = { clients: { ids: ["site-1"] }, download: { file_path: "a.bin" }, keep };
      const { status, body } = await call(system, "POST", "jobs", asked);
      expect([status, body["error"]]).toEqual([202, undefined]);
      const jobId = String(body["job_id"]);
      const ended = await waitFor(async () => {
        const [one] = (await system.api.downloads({ job_id: jobId })).downloads;
        return one?.status === "completed" && one;
      }, "the job's download");
      expect((await call(system, "GET", `jobs/${jobId}`)).body).toMatchObject({ keep });
      return ended;
    };
    const [threeDays, lastOne] = [await job({ days: 3 }), await job({ last: 1 })];
    const kept = async () => {
      const all = (await system.api.downloads({})).downloads;
      return all.filter(({ removed_at }) => removed_at === null).map((one) => one.download_id);
    };
    const becomes = (ids: DownloadRecord[]) =>
      waitFor(
        async () =>
          (await kept()).toSorted().join() ===
          ids
            .map((one) => one.download_id)
            .toSorted()
            .join(),
        "what is due to be removed",
      );
    clock.set(1.5);
    // Any change wakes the removal loop, which otherwise notices the clock within a minute.
    await hold(system, later.download_id, true);
    await becomes([held, later, threeDays, lastOne]);
    await waitFor(() => !existsSync(pathOf(system, plain)), "the bytes to go after the row");
    expect((await stat(pathOf(system, held))).size).toBe(1_000);
    clock.set(3.5);
    await hold(system, later.download_id, false);
    await becomes([held, lastOne]);
    expect(await content(system, threeDays.download_id)).toMatchObject({ status: 410 });
    expect((await content(system, lastOne.download_id)).status).toBe(200);
    const records = await waitFor(async () => {
      const found = (await system.api.audit({ action: "content_remove" })).records;
      return found.length >= 3 && found;
    }, "each removal to be recorded");
    expect(records.map(({ target, download_id }) => `${target} ${download_id}`).toSorted()).toEqual(
      [plain, later, threeDays].map((one) => `retention ${one.download_id}`).toSorted(),
    );
  });
});
