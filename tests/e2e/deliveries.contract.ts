import { describe, expect, test } from "bun:test";
import { DeliveryBoard, DeliveryList, type DeliveryRecord } from "../../lib/api/deliveries.ts";
import { fillDates } from "../../lib/util/path-dates.ts";
import { localTimeAt } from "../../lib/util/time-zone.ts";
import { fleet, system } from "../support/fleet-stage.ts";
import { idsOf } from "../support/fleet.ts";
import { waitFor } from "../support/wait.ts";
import {
  allAre,
  deliveries,
  deliveriesThatAre,
  EAST,
  make,
  NOBODY,
  ran,
  run,
  schedule,
  statusOf,
  tokenFor,
  WEST,
} from "../support/schedules-stage.ts";

/** Tests the status of each delivery of a schedule, and how it is shown. Call useFleet() first. */
export function aDelivery(): void {
  describe("a delivery", () => {
    test("comes of a run, in each zone with the dates there", async () => {
      await fleet.join(["east"], "deliver", { time_zone: EAST });
      await fleet.join(["west"], "deliver", { time_zone: WEST });
      await make({ job: { clients: { all: true }, download: { file_path: "{date}.txt" } } });
      const jobs = await ran();
      expect(jobs.map(({ time_zone, total }) => [time_zone, total])).toEqual([
        [EAST, 1],
        [WEST, 1],
      ]);
      const found = await allAre("received", 2);
      for (const { client_id, scheduled_local, scheduled_at, files, bytes, job_id } of found) {
        const zone = client_id === "east" ? EAST : WEST;
        expect(localTimeAt(Date.parse(scheduled_at), zone)).toBe(scheduled_local);
        expect([files, bytes > 0]).toEqual([1, true]);
        const job = await fleet.job(String(job_id));
        expect(job).toMatchObject({ schedule: "nightly", name: "nightly", total: 1 });
        const [download] = await fleet.downloadsOf(String(job_id));
        expect(download?.resolved_path).toBe(fillDates("{date}.txt", "path", scheduled_local));
      }
      const { latest } = await schedule();
      expect(latest?.counts).toMatchObject({ received: 1, missing: 0 });
    });

    test("turns from expected to running, missing and late", async () => {
      const [site] = await fleet.join(["site-1"], "hold");
      await make({ due: { after: "8s" } });
      await ran();
      await deliveriesThatAre(([one]) => one?.status === "running", "it to run");
      await allAre("missing", 1);
      site!.go("deliver");
      const [late] = await allAre("late", 1);
      expect(late).toMatchObject({ files: 1, client_id: "site-1" });
      expect(late?.download_id).not.toBeNull();
    });

    test("is of who is away, too, and is asked for again by its time", async () => {
      await fleet.join(["site-1", "site-2"]);
      fleet.site("site-2").leave();
      await waitFor(
        async () => (await system.api.clients()).some(({ connected }) => !connected),
        "one to be away",
      );
      await make({ due: { after: "8s" } });
      const [job] = await ran();
      await waitFor(
        async () => (await fleet.job(job!.job_id)).counts.completed === 1,
        "the other one to deliver",
      );
      await fleet.call("POST", `jobs/${job!.job_id}/cancel`);
      const found = await deliveriesThatAre(
        (some) => some.map(({ status }) => status).join() === "received,missing",
        "one to be missing",
      );
      expect(statusOf(found)).toEqual({ "site-1": "received", "site-2": "missing" });
      await fleet.ended(job!.job_id);
      await fleet.join(["site-2"]);
      const again = await run({
        client_ids: ["site-2"],
        scheduled_local: job!.scheduled_local.slice(0, 19),
      });
      expect(again.status).toBe(202);
      const late = await deliveriesThatAre((some) => some[1]?.status === "late", "it to come");
      expect(late).toHaveLength(2);
      expect(await deliveries("status=late&client_id=site-2")).toHaveLength(1);
      expect(await deliveries("status=received&from=2020-01-01")).toHaveLength(1);
      expect(await deliveries("to=2020-01-01")).toEqual([]);
      expect(await deliveries("from=2020-01-01T00:00:00Z&limit=1")).toHaveLength(1);
    });

    test("is partial where less came than was expected", async () => {
      await fleet.join(["site-1"]);
      const { body } = await make({ expect: { bytes: "1MiB" } });
      expect(body["expect"]).toEqual({ files: 1, bytes: 1024 * 1024 });
      await ran();
      await allAre("partial", 1);
    });

    test("is not asked for where the one before is still under way", async () => {
      await fleet.join(idsOf(2), "hold");
      await make();
      await ran();
      await waitFor(() => fleet.site("site-1").held.length > 0, "it to be asked");
      const again = await run();
      expect(again).toMatchObject({ status: 400, body: { code: "invalid_request" } });
      expect(await deliveries()).toHaveLength(2);
      const board = async (query = "", token?: string) => {
        const path = `schedules/nightly/board${query}`;
        const answer = await fleet.call("GET", path, undefined, { ...(token && { token }) });
        return DeliveryBoard.parse(answer.body);
      };
      const [first] = await deliveries();
      const running = { ...NOBODY, running: ["site-1", "site-2"] };
      const { job_id, scheduled_local, due_at } = first!;
      const time = { scheduled_local, clients: running, next_due_at: due_at, job_ids: [job_id] };
      const whole = { times: [time], next_cursor: null };
      await waitFor(async () => (await board()).times[0]!.clients.running.length === 2, "both");
      expect(await board()).toEqual(whole as DeliveryBoard);
      const token = await tokenFor({ name: "two", sites: ["site-2"] });
      expect(await board("", token)).toMatchObject({
        times: [{ clients: { ...NOBODY, running: ["site-2"] } }],
      });
      fleet.go("deliver");
      await allAre("received", 2);
    });

    test("of a time that was is asked for with its dates", async () => {
      await fleet.join(["site-1"]);
      await make({ job: { clients: { all: true }, download: { file_path: "{date-1d}.txt" } } });
      const [job] = await ran({ scheduled_local: "2024-02-29T02:30" });
      await allAre("late", 1);
      const [download] = await fleet.downloadsOf(job!.job_id);
      expect(download?.resolved_path).toBe("2024-02-28.txt");
    });

    test("comes page by page, and survives a restart", async () => {
      await fleet.join(idsOf(5));
      await make();
      for (const [nights, year] of [2016, 2020, 2024].entries()) {
        await ran({ scheduled_local: `${year}-02-29T02:30` });
        await allAre("late", 5 * (nights + 1));
      }
      const all = await deliveries();
      system.server.signal("SIGTERM");
      await system.restartServer();
      const paged: DeliveryRecord[] = [];
      for (let cursor: string | null = ""; cursor !== null;) {
        const path = `schedules/nightly/deliveries?limit=4${cursor && `&cursor=${cursor}`}`;
        const page = DeliveryList.parse((await fleet.call("GET", path)).body);
        paged.push(...page.deliveries);
        cursor = page.next_cursor && encodeURIComponent(page.next_cursor);
      }
      expect(paged).toEqual(all);
      const boardOf = async (query: string) => {
        const { body } = await fleet.call("GET", `schedules/nightly/board?${query}`);
        const { times, next_cursor } = DeliveryBoard.parse(body);
        return [times.map(({ scheduled_local }) => scheduled_local.slice(0, 4)), next_cursor];
      };
      expect(await boardOf("limit=2")).toEqual([["2024", "2020"], "2020-02-29T02:30:00"]);
      expect(await boardOf("cursor=2020-02-29T02:30:00")).toEqual([["2016"], null]);
      expect(await boardOf("from=2020-02-29&to=2020-02-29T02:30:00")).toEqual([["2020"], null]);
    });
  });
}
