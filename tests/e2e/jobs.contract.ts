import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { fleet, system, useFleet } from "../support/fleet-stage.ts";
import { contentOf, countsOf, idsOf } from "../support/fleet.ts";
import { md5 } from "../support/scripted-client.ts";
import { waitFor } from "../support/wait.ts";
import { aJobThatGoesOn } from "./job-membership.contract.ts";
import { aJobUnderControl } from "./job-control.contract.ts";
import { limitedToken } from "./job-tokens.contract.ts";

/* Jobs: one request to many clients. Scripted clients answer the server's requests. */

const label = (clientId: string, labels: object) =>
  fleet.call("PATCH", `clients/${clientId}`, { labels });

/** Tests jobs on a real server. Runs on each kind of database. */
export function jobsEndToEnd(): void {
  describe("jobs", () => {
    useFleet();

    aJob();
    aJobUnderControl();
    aJobThatGoesOn();
    limitedToken();
  });
}

function aJob(): void {
  describe("a job", () => {
    test("brings a file from each client, and ends", async () => {
      await fleet.join(idsOf(12));
      const answer = await fleet.call("POST", "jobs", {
        name: "journals",
        clients: { all: true },
        download: { file_path: "a.txt" },
      });
      expect(answer).toMatchObject({ status: 202, body: { status: "running", total: 12 } });
      const jobId = String(answer.body["job_id"]);
      const job = await fleet.ended(jobId);
      expect(job).toMatchObject({
        name: "journals",
        status: "completed",
        clients: { all: true },
        membership: "snapshot",
        download: { file_path: "a.txt" },
        created_by: "API_TOKEN",
        expires_at: null,
        schedule: null,
        total: 12,
      });
      expect(countsOf(job)).toEqual({ completed: 12 });
      expect(job.bytes_received).toBe(job.total_size);
      const downloads = await fleet.downloadsOf(jobId);
      expect(downloads.map(({ client_id }) => client_id).toSorted()).toEqual(idsOf(12).toSorted());
      for (const { client_id, saved_path, job_id } of downloads) {
        const file = Bun.file(join(system.folder, "downloads", String(saved_path)));
        expect(md5(await file.bytes())).toBe(md5(contentOf(client_id)));
        expect(job_id).toBe(jobId);
      }
    });

    test("is for clients by their ids, their labels, or both", async () => {
      await fleet.join([...idsOf(3), "till-1", "till-2"]);
      await label("site-1", { region: "west" });
      await label("till-1", { region: "west" });
      const chosen = async (clients: object, more: object = {}) => {
        const order = { clients, download: {}, dry_run: true, ...more };
        const { status, body } = await fleet.call("POST", "jobs", order);
        if (status !== 200) return [status, body["code"]];
        const found = body["clients"] as { client_id: string }[];
        expect(body["total"]).toBe(found.length);
        return found.map(({ client_id }) => client_id);
      };
      expect(await chosen({ all: true })).toEqual([...idsOf(3), "till-1", "till-2"]);
      expect(await chosen({ ids: ["till-*", "site-3"] })).toEqual(["site-3", "till-1", "till-2"]);
      expect(await chosen({ labels: "region=west" })).toEqual(["site-1", "till-1"]);
      expect(await chosen({ ids: ["till-*"], labels: "region=west" })).toEqual(["till-1"]);
      expect(await chosen({ ids: ["till-2"], labels: "!region" })).toEqual(["till-2"]);
      expect(await chosen({ ids: ["nobody"] })).toEqual([404, "client_not_found"]);
      expect(await chosen({ ids: ["nobody-*"] })).toEqual([400, "invalid_request"]);
      expect(await chosen({ ids: ["till-2"], labels: "region" })).toEqual([400, "invalid_request"]);
      await fleet.call("POST", "clients/till-2/revoke");
      expect(await chosen({ ids: ["till-*"] })).toEqual(["till-1"]);
      const { body } = await fleet.call("GET", "jobs");
      expect(body["jobs"]).toEqual([]);
    });

    test.each<[string, unknown, string]>([
      ["no clients", { download: {} }, '"clients"'],
      ["no download", { clients: { all: true } }, '"download"'],
      [
        "clients twice",
        { clients: { all: true, labels: "a" }, download: {} },
        '"clients": give either',
      ],
      ["no choice", { clients: {}, download: {} }, '"clients": give either'],
      ["no ids", { clients: { ids: [] }, download: {} }, '"clients.ids": must name at least one'],
      [
        "a wrong selector",
        { clients: { labels: "a==" }, download: {} },
        '"clients.labels": is wrong at character 4: expected a value, found the end',
      ],
      ["a client", { clients: { all: true }, download: { client_id: "site-1" } }, "Unknown field"],
      ["a field", { clients: { all: true }, download: {}, when: "now" }, 'Unknown field "when"'],
      [
        "an expiry in the past",
        { clients: { all: true }, download: {}, expires_in: "0s" },
        '"expires_in": must be longer than nothing',
      ],
      [
        "a duration",
        { clients: { all: true }, download: {}, spread: "soon" },
        '"spread": must be a duration',
      ],
      [
        "no end",
        { clients: { all: true }, download: {}, membership: "continuous" },
        '"expires_in": a continuous job needs a time',
      ],
      [
        "a percentage",
        { clients: { all: true }, download: {}, stop_when: { failed_percent: 101, at_least: 1 } },
        '"stop_when.failed_percent"',
      ],
      [
        "both",
        { clients: { all: true }, download: { file_path: "a", paths: ["b"] } },
        '"download.paths"',
      ],
      ["no JSON", "{", "The body is not JSON"],
    ])("is refused with %s, and nothing is made", async (_, order, error) => {
      await fleet.join(idsOf(1));
      const { status, body } = await fleet.call("POST", "jobs", order);
      expect([status, body["code"]]).toEqual([400, "invalid_request"]);
      expect(body["error"]).toStartWith(error);
      expect((await fleet.call("GET", "jobs")).body["jobs"]).toEqual([]);
    });

    test("names up to 10,000 clients, and not a million", async () => {
      await fleet.join(idsOf(2));
      const order = (count: number) => ({
        clients: { ids: Array.from({ length: count }, (_, n) => `site-${n + 1}`) },
        download: {},
      });
      expect(await fleet.call("POST", "jobs", order(9_999))).toMatchObject({
        status: 404,
        body: { code: "client_not_found" },
      });
      expect(await fleet.call("POST", "jobs", order(10_001))).toMatchObject({ status: 400 });
      expect(await fleet.call("POST", "jobs", order(1_000_000))).toMatchObject({ status: 413 });
    });

    test("is made once by requests with one Idempotency-Key", async () => {
      await fleet.join(idsOf(2));
      const send = (key: string, order: object) =>
        fleet.call("POST", "jobs", order, { headers: { "Idempotency-Key": key } });
      const order = { clients: { all: true }, download: { file_path: "a" } };
      const answers = await Promise.all([1, 2, 3].map(() => send("k", order)));
      const again = await send("k", { download: { file_path: "a" }, clients: { all: true } });
      const ids = new Set([...answers, again].map(({ body }) => body["job_id"]));
      expect(ids.size).toBe(1);
      expect(again.status).toBe(202);
      expect(await send("k", { ...order, name: "other" })).toMatchObject({
        status: 409,
        body: { code: "idempotency_conflict" },
      });
      expect((await send("l", order)).body["job_id"]).not.toBe(again.body["job_id"]);
      expect(await send("ü", order).catch(() => ({ status: 400 }))).toMatchObject({ status: 400 });
      expect(await send("", order)).toMatchObject({ status: 400 });
      // A refused request does not use up its Idempotency-Key.
      await send("m", { ...order, clients: { labels: "no" } });
      expect((await send("m", order)).status).toBe(202);
      expect((await fleet.call("GET", "jobs")).body["jobs"]).toHaveLength(3);
    });

    test("tells its failures, and asks again for them alone", async () => {
      await fleet.join(idsOf(6));
      for (const id of ["site-2", "site-5"]) fleet.site(id).go("refuse");
      const jobId = await fleet.makeJob({});
      const job = await fleet.ended(jobId);
      expect([job.status, countsOf(job)]).toEqual(["failed", { completed: 4, failed: 2 }]);
      fleet.go("deliver");
      const rerun = await fleet.call("POST", `jobs/${jobId}/rerun`);
      expect(rerun).toMatchObject({ status: 200, body: { total: 6 } });
      const after = await fleet.jobThatIs(jobId, ({ status }) => status === "completed", "its end");
      expect(countsOf(after)).toEqual({ completed: 6 });
      expect(await fleet.downloadsOf(jobId)).toHaveLength(8);
      expect(fleet.site("site-1").asked).toBe(1);
      expect(fleet.site("site-2").asked).toBe(2);
      const calls = await fleet.call("POST", `jobs/${jobId}/rerun`, { statuses: ["completed"] });
      expect(calls.status).toBe(400);
    });

    test("keeps a download that is retried, and is reopened by it", async () => {
      await fleet.join(idsOf(2), "refuse");
      const jobId = await fleet.makeJob({});
      await fleet.ended(jobId);
      fleet.go("hold");
      const [first] = await fleet.downloadsOf(jobId);
      const retry = await fleet.call("POST", `downloads/${first!.download_id}/retry`);
      expect(retry.status).toBe(202);
      const open = await fleet.jobThatIs(
        jobId,
        ({ status }) => status === "running",
        "it to go on",
      );
      expect(open.ended_at).toBeNull();
      expect(open.total).toBe(2);
      const again = await fleet.call("POST", `downloads/${first!.download_id}/retry`);
      expect(again).toMatchObject({ status: 409, body: { code: "download_already_ended" } });
      const { body } = await fleet.call("GET", `downloads/${retry.body["download_id"]}`);
      expect(body["job_id"]).toBe(jobId);
      fleet.go("deliver");
      const end = await fleet.ended(jobId);
      expect([end.status, countsOf(end)]).toEqual(["failed", { completed: 1, failed: 1 }]);
    });

    test("waits for clients that are away, until it expires", async () => {
      const [gone] = await fleet.join(idsOf(3));
      gone!.leave();
      await waitFor(async () => {
        const { body } = await fleet.call("GET", "clients?connected=true");
        return (body["clients"] as unknown[]).length === 2;
      }, "the client to leave");
      const jobId = await fleet.makeJob({ expires_in: "2s" });
      const early = await fleet.jobThatIs(jobId, (job) => job.counts.completed === 2, "two files");
      expect(countsOf(early)).toEqual({ completed: 2, queued: 1 });
      const job = await fleet.ended(jobId);
      expect([job.status, countsOf(job)]).toEqual(["failed", { completed: 2, failed: 1 }]);
      const failed = (await fleet.downloadsOf(jobId)).find(({ status }) => status === "failed");
      expect(failed).toMatchObject({ client_id: "site-1", error_code: "expired" });
      const rerun = await fleet.call("POST", `jobs/${jobId}/rerun`, {});
      expect(rerun).toMatchObject({ status: 409, body: { code: "job_ended" } });
      const later = new Date(Date.now() + 3_600_000).toISOString();
      const past = await fleet.call("PATCH", `jobs/${jobId}`, {
        expires_at: "2020-01-01T00:00:00Z",
      });
      expect(past.status).toBe(400);
      await fleet.call("PATCH", `jobs/${jobId}`, { expires_at: later });
      await fleet.join(["site-1"]);
      expect((await fleet.call("POST", `jobs/${jobId}/rerun`)).status).toBe(200);
      const end = await fleet.jobThatIs(jobId, ({ status }) => status === "completed", "its end");
      expect(countsOf(end)).toEqual({ completed: 3 });
    });

    test("is cancelled with all that has not ended", async () => {
      await fleet.join(idsOf(5), "hold");
      fleet.site("site-1").go("deliver");
      const jobId = await fleet.makeJob({ max_concurrent: 2 });
      await fleet.jobThatIs(jobId, ({ counts }) => counts.completed === 1, "one file");
      const { status, body } = await fleet.call("POST", `jobs/${jobId}/cancel`);
      expect([status, body["status"]]).toEqual([200, "cancelled"]);
      expect(body["counts"]).toMatchObject({
        completed: 1,
        cancelled: 4,
        queued: 0,
        downloading: 0,
      });
      expect(body["ended_at"]).not.toBeNull();
      for (const call of ["cancel", "pause", "resume"]) {
        expect(await fleet.call("POST", `jobs/${jobId}/${call}`)).toMatchObject({
          status: 409,
          body: { code: "job_ended" },
        });
      }
      fleet.go("deliver");
      await fleet.call("POST", `jobs/${jobId}/rerun`, { statuses: ["cancelled"] });
      const end = await fleet.ended(jobId);
      expect([end.status, countsOf(end)]).toEqual(["completed", { completed: 5 }]);
    });
  });
}
