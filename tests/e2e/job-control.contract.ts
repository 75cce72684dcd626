import { describe, expect, test } from "bun:test";
import { startOf } from "../../lib/server/jobs/spread.ts";
import { fleet, system } from "../support/fleet-stage.ts";
import { countsOf, idsOf } from "../support/fleet.ts";
import { waitFor } from "../support/wait.ts";

/** Tests how a job is paused, slowed down and cancelled. Call useFleet() first. */
export function aJobUnderControl(): void {
  describe("a job", () => {
    test("is paused and resumed: what runs may end, and nothing more begins", async () => {
      await fleet.join(idsOf(4), "hold");
      const jobId = await fleet.makeJob({ max_concurrent: 1 });
      await waitFor(() => [...fleet.sites.values()].some((site) => site.asked > 0), "a request");
      const paused = await fleet.call("POST", `jobs/${jobId}/pause`);
      expect(paused).toMatchObject({ status: 200, body: { status: "paused" } });
      fleet.go("deliver");
      const one = await fleet.jobThatIs(jobId, ({ counts }) => counts.completed === 1, "one file");
      expect([one.status, countsOf(one)]).toEqual(["paused", { completed: 1, queued: 3 }]);
      // While the job is paused, a single download runs, and no download of the job starts.
      const single = await fleet.call("POST", "download", { client_id: "site-4" });
      await system.ended(String(single.body["download_id"]));
      expect(countsOf(await fleet.job(jobId))).toEqual({ completed: 1, queued: 3 });
      await fleet.call("POST", `jobs/${jobId}/resume`);
      expect(countsOf(await fleet.ended(jobId))).toEqual({ completed: 4 });
    });

    test("runs no more at once than it may, also when that is changed", async () => {
      await fleet.join(idsOf(8), "hold");
      const jobId = await fleet.makeJob({ max_concurrent: 2 });
      const running = () => [...fleet.sites.values()].filter((site) => site.held.length > 0);
      await waitFor(() => running().length === 2, "two requests");
      const single = await fleet.call("POST", "download", { client_id: "site-8" });
      await waitFor(() => fleet.site("site-8").held.length > 0, "the single one to begin");
      expect(running().length).toBeLessThanOrEqual(3);
      const more = await fleet.call("PATCH", `jobs/${jobId}`, { max_concurrent: 5 });
      expect(more).toMatchObject({ status: 200, body: { max_concurrent: 5 } });
      await fleet.jobThatIs(jobId, ({ counts }) => counts.downloading === 5, "five of them");
      fleet.go("deliver");
      await fleet.ended(jobId);
      await system.ended(String(single.body["download_id"]));
    });

    test("spreads its starts", async () => {
      await fleet.join(idsOf(30));
      const jobId = await fleet.makeJob({ spread: "3s" });
      const end = await fleet.ended(jobId);
      expect([end.status, end.spread]).toEqual(["completed", "3s"]);
      const spread = { spreadMs: 3_000, spreadFrom: Date.parse(end.created_at) };
      const places = (await fleet.downloadsOf(jobId)).map(({ client_id, started_at }) => {
        const place = startOf(spread, client_id)!;
        expect(Date.parse(started_at!)).toBeGreaterThanOrEqual(place);
        return place;
      });
      expect(Math.max(...places) - Math.min(...places)).toBeGreaterThan(2_000);
    });

    test("stops when too many fail", async () => {
      await fleet.join(idsOf(40), "refuse");
      const jobId = await fleet.makeJob({
        max_concurrent: 1,
        stop_when: { failed_percent: 50, at_least: 4 },
      });
      const job = await fleet.ended(jobId);
      expect(job.status).toBe("stopped");
      const after = await fleet.jobThatIs(jobId, ({ counts }) => counts.queued === 0, "its rest");
      expect(after.counts.failed).toBeWithin(4, 40);
      expect(after.counts.failed + after.counts.cancelled).toBe(40);
      const failed = (await fleet.downloadsOf(jobId)).find(({ status }) => status === "failed");
      fleet.go("deliver");
      await fleet.call("POST", `downloads/${failed!.download_id}/retry`);
      await fleet.jobThatIs(
        jobId,
        ({ counts }) => counts.completed === 1,
        "the one that is wanted",
      );
      await fleet.call("POST", `jobs/${jobId}/rerun`);
      expect(countsOf(await fleet.ended(jobId))).toEqual({ completed: 40 });
    });

    test("is not stopped again by what failed before it was asked for more", async () => {
      await fleet.join(idsOf(5), "refuse");
      const jobId = await fleet.makeJob({ stop_when: { failed_percent: 50, at_least: 1 } });
      await fleet.ended(jobId);
      await fleet.jobThatIs(
        jobId,
        ({ counts }) => counts.failed + counts.cancelled === 5,
        "its rest",
      );
      fleet.go("deliver");
      const failed = (await fleet.downloadsOf(jobId)).find(({ status }) => status === "failed");
      await fleet.call("POST", `downloads/${failed!.download_id}/retry`);
      await fleet.jobThatIs(jobId, ({ counts }) => counts.completed === 1, "the one asked for");
    });
  });
}
