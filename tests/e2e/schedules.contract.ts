import { beforeAll, describe, expect, test } from "bun:test";
import { ScheduleList, SchedulePreview, ScheduleRecord } from "../../lib/api/schedules.ts";
import { localTimeAt } from "../../lib/util/time-zone.ts";
import { fleet, useFleet, useOneFleet } from "../support/fleet-stage.ts";
import { idsOf } from "../support/fleet.ts";
import { waitFor } from "../support/wait.ts";
import {
  allAre,
  deliveries,
  EAST,
  make,
  ran,
  run,
  schedule,
  tokenFor,
  WEST,
  YEARLY,
} from "../support/schedules-stage.ts";
import { aDelivery } from "./deliveries.contract.ts";

/* Schedules: jobs at their times, and the deliveries of each client. */

/** Tests schedules on a real server. Runs on each kind of database. */
export function schedulesEndToEnd(): void {
  describe("schedules", () => {
    useFleet({ DELIVERIES_KEEP: "36500d" });

    aSchedule();
    aDelivery();
    itsRight();
  });
}

function aSchedule(): void {
  describe("a schedule", () => {
    test("has all that was asked for, and defaults for the rest", async () => {
      const answer = await make();
      expect(answer.status).toBe(201);
      expect(ScheduleRecord.parse(answer.body)).toMatchObject({
        ...YEARLY,
        time_zone: "site",
        spread: null,
        catch_up: "6h",
        overlap: "skip",
        due: { after: "2h" },
        expect: { files: 1, bytes: 0 },
        keep: null,
        paused: false,
        paused_because: null,
        created_by: "API_TOKEN",
        latest: null,
        may_change: true,
      });
      const all = {
        name: "second",
        time_zone: "Europe/Berlin",
        spread: "10m",
        catch_up: "0s",
        overlap: "allow",
        due: { at: "04:00" },
        expect: { files: 3 },
        keep: { last: 7 },
        paused: true,
      };
      expect((await make(all)).body).toMatchObject({
        ...all,
        expect: { files: 3, bytes: 0 },
        next_at: null,
        paused_because: "by_hand",
      });
      const { body } = await fleet.call("GET", "schedules");
      const names = ScheduleList.parse(body).schedules.map(({ name }) => name);
      expect(names).toEqual(["nightly", "second"]);
    });

    test("shows its next times, in each zone of its clients", async () => {
      await make({ cron: "30 2 * * *" });
      const preview = async (query = "") => {
        const { body } = await fleet.call("GET", `schedules/nightly/preview${query}`);
        return SchedulePreview.parse(body).zones;
      };
      expect(await preview()).toEqual([]);
      await fleet.join(["east"], "deliver", { time_zone: EAST });
      await fleet.join(["west"], "deliver", { time_zone: WEST });
      const zones = await preview("?count=3");
      expect(zones.map(({ time_zone }) => time_zone)).toEqual([EAST, WEST]);
      for (const { time_zone, times } of zones) {
        expect(times).toHaveLength(3);
        for (const { scheduled_at, scheduled_local } of times) {
          expect(scheduled_local).toEndWith("T02:30:00");
          expect(localTimeAt(Date.parse(scheduled_at), time_zone)).toBe(scheduled_local);
        }
      }
      const first = zones.map(({ times }) => times[0]!.scheduled_at).toSorted()[0];
      await waitFor(async () => (await schedule()).next_at === first, "the zones to have times");
      for (const { time_zone, times } of zones) {
        const site = time_zone === EAST ? "east" : "west";
        const next_at = times[0]!.scheduled_at;
        const job = { ...YEARLY.job, clients: { ids: [site] } };
        const own = await make({ name: `of-${site}`, cron: "30 2 * * *", job });
        expect(own.body).toMatchObject({ next_at });
      }
      const { status } = await fleet.call("GET", "schedules/nightly/preview?count=101");
      expect(status).toBe(400);
    });

    test("shows its times before it is there", async () => {
      await fleet.join(["east"], "deliver", { time_zone: EAST });
      await fleet.join(["west"], "deliver", { time_zone: WEST });
      const preview = (body: object, token?: string) =>
        fleet.call("POST", "schedules/preview", body, { ...(token && { token }) });
      const zonesOf = async (body: object, token?: string) =>
        SchedulePreview.parse((await preview(body, token)).body).zones;
      const zones = await zonesOf({ cron: "30 2 * * *", count: 2 });
      await make({ cron: "30 2 * * *" });
      const made = await fleet.call("GET", "schedules/nightly/preview?count=2");
      expect(zones).toEqual(SchedulePreview.parse(made.body).zones);
      const only = { cron: "@daily", clients: { ids: ["west"] } };
      expect(await zonesOf(only)).toMatchObject([{ time_zone: WEST, times: { length: 5 } }]);
      expect(await zonesOf({ ...only, time_zone: "Asia/Tokyo" })).toMatchObject([
        { time_zone: "Asia/Tokyo" },
      ]);
      const token = await tokenFor({ name: "east", sites: ["east"] });
      expect(await zonesOf({ cron: "@daily" }, token)).toMatchObject([{ time_zone: EAST }]);
      expect((await preview(only, token)).body["code"]).toBe("client_not_found");
      expect((await preview({ cron: "@reboot" })).status).toBe(400);
      expect((await preview({ cron: "@daily", count: 101 })).status).toBe(400);
      const viewer = await tokenFor({ name: "viewer", role: "viewer" });
      expect((await preview({ cron: "@daily" }, viewer)).status).toBe(403);
    });

    test("is changed, rests, goes on, and is gone", async () => {
      await fleet.join(["east"], "deliver", { time_zone: EAST });
      await make({ cron: "30 2 * * *" });
      const patch = (body: object) => fleet.call("PATCH", "schedules/nightly", body);
      const before = await schedule();
      expect((await patch({ cron: "45 3 * * *" })).body).toMatchObject({ cron: "45 3 * * *" });
      const after = await schedule();
      expect(after.next_at).not.toBe(before.next_at);
      expect((await patch({ time_zone: "UTC" })).body["next_at"]).toEndWith("T03:45:00.000Z");
      expect((await patch({ paused: true })).body).toMatchObject({ paused: true, next_at: null });
      const { body } = await patch({ paused: false, due: { at: "05:00" }, spread: "1h" });
      expect(body).toMatchObject({ paused: false, due: { at: "05:00" }, spread: "1h" });
      expect(body["next_at"]).not.toBeNull();
      expect((await fleet.call("DELETE", "schedules/nightly")).status).toBe(200);
      expect((await fleet.call("GET", "schedules/nightly")).body).toMatchObject({
        code: "schedule_not_found",
      });
      expect((await make()).status).toBe(201);
    });

    test("has a name of its own", async () => {
      await make();
      expect(await make()).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    });
  });
}

function itsRight(): void {
  describe("the right of a schedule's maker", () => {
    test("says whom it asks, and who sees what", async () => {
      await fleet.join(idsOf(3));
      const token = await tokenFor({ name: "west", sites: ["site-1", "site-2"] });
      const other = await tokenFor({ name: "east", sites: ["site-2", "site-3"] });
      const stranger = await tokenFor({ name: "south", sites: ["site-3"] });
      expect((await make({}, token)).body).toMatchObject({ created_by: "west" });
      expect((await fleet.call("GET", "schedules", undefined, { token: other })).body).toEqual({
        schedules: [],
      });
      await ran();
      const found = await allAre("received", 2);
      expect(found.map(({ client_id }) => client_id)).toEqual(["site-1", "site-2"]);
      expect(await deliveries("", other)).toEqual(found.slice(1));
      const seen = await fleet.call("GET", "schedules/nightly", undefined, { token: other });
      expect(ScheduleRecord.parse(seen.body).latest?.counts.received).toBe(1);
      expect(seen.body["may_change"]).toBe(false);
      const change = (by: string) =>
        fleet.call("PATCH", "schedules/nightly", { paused: true }, { token: by });
      expect((await change(other)).body["code"]).toBe("forbidden");
      expect((await change(stranger)).body["code"]).toBe("schedule_not_found");
      const hidden = await fleet.call("GET", "schedules/nightly/deliveries", undefined, {
        token: stranger,
      });
      expect(hidden.status).toBe(404);
      expect((await change(token)).status).toBe(200);
    });

    test("ends with its token: the schedule is paused, and says why", async () => {
      await fleet.join(["site-1"]);
      const token = await tokenFor({ name: "west", sites: ["site-1"] });
      await make({}, token);
      await fleet.call("DELETE", "tokens/west");
      expect(await schedule()).toMatchObject({ paused: true, paused_because: "token_ended" });
      expect((await run()).body["code"]).toBe("forbidden");
      const resume = await fleet.call("PATCH", "schedules/nightly", { paused: false });
      expect(resume.body["code"]).toBe("forbidden");
    });
  });
}

/** Tests that a refused schedule changes nothing. Runs on each kind of database. */
export function refusedSchedules(): void {
  describe("a schedule that is not right", () => {
    useOneFleet();
    beforeAll(() => fleet.join(["site-1", "till-1"]));

    test.each<[string, object, string]>([
      ["six fields", { cron: "0 30 2 * * *" }, '"cron": expected five fields'],
      ["a time that never comes", { cron: "0 0 30 2 *" }, '"cron": is a time that never comes'],
      ["a time at a start", { cron: "@reboot" }, '"cron": expected five fields'],
      ["a zone", { time_zone: "Mars" }, '"time_zone": must be "site", or the IANA name'],
      ["a name", { name: "a/b" }, '"name": must be 1 to 64 letters'],
      ["two times", { due: { at: "04:00", after: "2h" } }, '"due": give either "after" or "at"'],
      ["no time", { due: {} }, '"due": give either'],
      ["an hour", { due: { at: "24:00" } }, '"due.at": must be a time of the day'],
      ["a field", { expect: { file: 1 } }, 'Unknown field "file"'],
      ["a field of jobs", { job: { ...YEARLY.job, dry_run: true } }, 'Unknown field "dry_run"'],
      [
        "who joins later",
        { job: { ...YEARLY.job, membership: "continuous", expires_in: "1h" } },
        '"job.membership": must be snapshot',
      ],
      ["a file", { job: { ...YEARLY.job, download: { file_path: "{date" } } }, "is no date"],
      ["a long time", { catch_up: "31d" }, '"catch_up": must be at most 30d'],
      ["a client", { job: { ...YEARLY.job, clients: { ids: ["nobody"] } } }, '"nobody"'],
    ])("is refused with %s that is wrong", async (_, order, words) => {
      const answer = await make(order);
      expect(answer.status).toBe(words === '"nobody"' ? 404 : 400);
      expect(answer.body["error"]).toContain(words);
      expect((await fleet.call("GET", "schedules")).body["schedules"]).toEqual([]);
    });

    test.each<[string, object, string]>([
      ["a time to come", { scheduled_local: "2096-02-29T02:30" }, "is no time of the schedule"],
      ["another time", { scheduled_local: "2024-02-29T02:31" }, "is no time of the schedule"],
      ["no time", { scheduled_local: "2024-02-30T02:30" }, "must be a local time"],
      ["another client", { client_ids: ["till-1"] }, 'not for the client "till-1"'],
    ])("is not asked for again with %s", async (_, body, words) => {
      await make({ job: { ...YEARLY.job, clients: { ids: ["site-*"] } } });
      const answer = await run(body);
      expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
      expect(answer.body["error"]).toContain(words);
      expect(await deliveries()).toEqual([]);
    });
  });
}
