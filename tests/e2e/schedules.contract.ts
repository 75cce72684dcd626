import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  DeliveryBoard,
  DeliveryList,
  type DeliveryRecord,
  DeliveryStatus,
} from "../../lib/api/deliveries.ts";
import {
  ScheduleList,
  SchedulePreview,
  ScheduleRecord,
  ScheduleRunAnswer,
} from "../../lib/api/schedules.ts";
import { fillDates } from "../../lib/util/path-dates.ts";
import { localTimeAt } from "../../lib/util/time-zone.ts";
import { Fleet, idsOf } from "../support/fleet.ts";
import { System } from "../support/system.ts";
import { waitFor } from "../support/wait.ts";

/* Jobs at their times, and who delivered. */

const EAST = "Pacific/Kiritimati";
const WEST = "Pacific/Pago_Pago";

/** A schedule whose own times do not come while a test runs. */
const YEARLY = {
  name: "nightly",
  cron: "30 2 29 2 *",
  job: { clients: { all: true }, download: { file_path: "a.txt" } },
};

/** A board without a client in any status. */
const NOBODY = Object.fromEntries(DeliveryStatus.options.map((status) => [status, []]));

let system: System;
let fleet: Fleet;

const make = async (order: object = {}, token?: string) =>
  fleet.call("POST", "schedules", { ...YEARLY, ...order }, { ...(token && { token }) });
const run = async (body?: object, name = "nightly") =>
  fleet.call("POST", `schedules/${name}/run`, body);
const ran = async (body?: object) => {
  const answer = await run(body);
  if (answer.status !== 202) throw new Error(JSON.stringify(answer));
  return ScheduleRunAnswer.parse(answer.body).jobs;
};
const schedule = async (name = "nightly") =>
  ScheduleRecord.parse((await fleet.call("GET", `schedules/${name}`)).body);
const deliveries = async (query = "", token?: string) => {
  const path = `schedules/nightly/deliveries?${query}`;
  const { body } = await fleet.call("GET", path, undefined, { ...(token && { token }) });
  return DeliveryList.parse(body).deliveries;
};
const deliveriesThatAre = (
  is: (found: DeliveryRecord[]) => boolean,
  what: string,
  query?: string,
) =>
  waitFor(async () => {
    const found = await deliveries(query);
    return is(found) ? found : null;
  }, what);
const allAre = (status: string, count: number) =>
  deliveriesThatAre(
    (found) => found.length === count && found.every((one) => one.status === status),
    `${count} to be ${status}`,
  );
const statusOf = (found: DeliveryRecord[]) =>
  Object.fromEntries(found.map(({ client_id, status }) => [client_id, status]));
const tokenFor = async (fields: object) => {
  const { body } = await fleet.call("POST", "tokens", { role: "operator", ...fields });
  return String(body["token"]);
};

/** What schedules do, wherever the rows are. @param settings of each test's server */
export function schedulesEndToEnd(): void {
  describe("schedules", () => {
    beforeEach(async () => {
      system = await System.start({ LOG_LEVEL: "warn", DELIVERIES_KEEP: "36500d" });
      fleet = new Fleet(system.url);
    });
    afterEach(async () => {
      await fleet[Symbol.asyncDispose]();
      await system[Symbol.asyncDispose]();
    });

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

function aDelivery(): void {
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

/** What is refused changes nothing, wherever the rows are. */
export function refusedSchedules(): void {
  describe("a schedule that is not right", () => {
    beforeAll(async () => {
      system = await System.start({ LOG_LEVEL: "warn" });
      fleet = new Fleet(system.url);
      await fleet.join(["site-1", "till-1"]);
    });
    afterAll(async () => {
      await fleet[Symbol.asyncDispose]();
      await system[Symbol.asyncDispose]();
    });

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
