import { describe, expect, test } from "bun:test";
import { fleet, system } from "../support/fleet-stage.ts";
import { countsOf, idsOf } from "../support/fleet.ts";
import { Listener } from "../support/events.ts";
import { API_TOKEN } from "../support/system.ts";
import { waitFor } from "../support/wait.ts";

const label = (clientId: string, labels: object) =>
  fleet.call("PATCH", `clients/${clientId}`, { labels });

/**
 * Tests which clients a job adds after its start or leaves out, and how event streams report jobs. Call
 * useFleet() first.
 */
export function aJobThatGoesOn(): void {
  describe("a job", () => {
    test("takes in clients that come or are labelled later, where it is continuous", async () => {
      await fleet.join(idsOf(2));
      const jobId = await fleet.makeJob({
        clients: { labels: "tier=gold" },
        membership: "continuous",
        expires_in: "1h",
      });
      expect(await fleet.job(jobId)).toMatchObject({ total: 0, status: "running" });
      await label("site-1", { tier: "gold" });
      await fleet.jobThatIs(jobId, ({ counts }) => counts.completed === 1, "the first to join");
      const order = { name: "gold", ids: "till-*", labels: { tier: "gold" } };
      const { body } = await fleet.call("POST", "enrolment-keys", order);
      await fleet.join(["till-1"], "deliver", { enroll_token: body["enrolment_key"] });
      const both = await fleet.jobThatIs(jobId, ({ counts }) => counts.completed === 2, "two");
      expect([both.status, both.total]).toEqual(["running", 2]);
      await label("site-1", { tier: null });
      expect((await fleet.job(jobId)).total).toBe(2);
      const soon = new Date(Date.now() + 500).toISOString();
      await fleet.call("PATCH", `jobs/${jobId}`, { expires_at: soon });
      expect((await fleet.ended(jobId)).status).toBe("completed");
      await label("site-2", { tier: "gold" });
      expect((await fleet.job(jobId)).total).toBe(2);
    });

    test("can leave out who is not connected", async () => {
      const [gone] = await fleet.join(idsOf(2));
      gone!.leave();
      await waitFor(async () => {
        const { body } = await fleet.call("GET", "clients?connected=true");
        return (body["clients"] as unknown[]).length === 1;
      }, "the client to leave");
      const jobId = await fleet.makeJob({ download: { if_offline: "fail" } });
      const end = await fleet.ended(jobId);
      expect([end.status, countsOf(end)]).toEqual(["failed", { completed: 1, failed: 1 }]);
      const failed = (await fleet.downloadsOf(jobId)).find(({ status }) => status === "failed");
      expect(failed).toMatchObject({ client_id: "site-1", error_code: "client_not_connected" });
      await fleet.call("POST", `jobs/${jobId}/rerun`, {});
      const again = await fleet.jobThatIs(
        jobId,
        ({ status, counts }) => status === "failed" && counts.failed === 1,
        "failed again",
      );
      expect(countsOf(again)).toEqual({ completed: 1, failed: 1 });
      const { retried_as } = (await fleet.downloadsOf(jobId)).find(
        ({ download_id }) => download_id === failed?.download_id,
      )!;
      expect(retried_as).not.toBeNull();
    });

    test("is told of as it happens, and to a reader that comes later", async () => {
      await fleet.join(idsOf(3), "hold");
      const headers = { Authorization: `Bearer ${API_TOKEN}` };
      const open = async () => new Listener(await fetch(`${system.url}/api/events`, { headers }));
      await using cleanup = new AsyncDisposableStack();
      const early = await open();
      cleanup.defer(() => early.close());
      await early.until(({ event }) => event === "client");
      const jobId = await fleet.makeJob({ name: "live" });
      await early.until(({ event, data }) => event === "job" && data.job_id === jobId);
      const late = await open();
      cleanup.defer(() => late.close());
      await late.until(({ event, data }) => event === "job" && data.name === "live");
      fleet.go("deliver");
      const end = await early.until(
        ({ event, data }) => event === "job" && data.status === "completed",
      );
      expect(end.data).toMatchObject({ total: 3, counts: { completed: 3 } });
    });
  });
}
