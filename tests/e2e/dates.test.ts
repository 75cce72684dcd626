import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { fillDates } from "../../lib/util/path-dates.ts";
import { localTimeAt } from "../../lib/util/time-zone.ts";
import { Fleet } from "../support/fleet.ts";
import { runProgram } from "../support/operator.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Dates in paths: the local date of each client at the time when the download was requested. */

/** Two time zones that are 25 hours apart, so their dates always differ. */
const EAST = "Pacific/Kiritimati";
const WEST = "Pacific/Pago_Pago";

let system: System;
let fleet: Fleet;

beforeAll(async () => {
  system = await System.start();
  fleet = new Fleet(system.url);
  await system.startClient({ env: { CLIENT_TIME_ZONE: EAST } });
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await system?.[Symbol.asyncDispose]();
});

const zoneOf = (clientId: string, time_zone: string) =>
  fleet.call("PATCH", `clients/${clientId}`, { time_zone });
const start = async (body: object) => {
  const answer = await fleet.call("POST", "download", body);
  return { ...answer, id: String(answer.body["download_id"]) };
};
const recordOf = async (id: string) =>
  (await fleet.call("GET", `downloads/${id}`)).body as unknown as DownloadRecord;
/** Fills the date placeholders of a text with the local time at which the download was requested. */
const dated = (text: string, { created_at }: DownloadRecord, zone: string) =>
  fillDates(text, "path", localTimeAt(Date.parse(created_at), zone));

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(system.source(path)), { recursive: true });
  await Bun.write(system.source(path), text);
}

/** Makes files for today, yesterday and tomorrow, because the test may run over midnight. */
async function putDays(nameOf: (day: string) => string): Promise<void> {
  for (const days of [-1, 0, 1]) {
    const day = localTimeAt(Date.now() + days * 86_400_000, EAST).slice(0, 10);
    await put(nameOf(day), `sales of ${day}\n`);
  }
}

test("a file is found, and named on disk, by the date at its client", async () => {
  await putDays((day) => `sales-${day.replaceAll("-", "")}.csv`);
  const { id } = await start({ client_id: "site-1", file_path: "sales-{date:yyyyMMdd}.csv" });
  const record = await system.ended(id);
  const path = dated("sales-{date:yyyyMMdd}.csv", record, EAST);
  expect(record).toMatchObject({
    status: "completed",
    file_path: "sales-{date:yyyyMMdd}.csv",
    resolved_path: path,
    resolved_paths: null,
  });
  expect(record.saved_path).toEndWith(`_${path}`);
});

test("fds pull takes a date for a file, and saves it by its name", async () => {
  await putDays((day) => `tills-${day}.txt`);
  await mkdir(`${system.folder}/out`, { recursive: true });
  const pulled = await runProgram(system, [
    "fds",
    "pull",
    "site-1",
    "tills-{date}.txt",
    "-o",
    "out",
  ]);
  expect(pulled).toMatchObject({ exitCode: 0 });
  const found = [...new Bun.Glob("*").scanSync(`${system.folder}/out`)];
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/^tills-\d{4}-\d\d-\d\d\.txt$/);
});

test("a set has its dates too, and braces beside them", async () => {
  await putDays((day) => `days/${day.replaceAll("-", "/")}/a.log`);
  await putDays((day) => `days/${day.replaceAll("-", "/")}/b.log`);
  await putDays((day) => `days/${day.replaceAll("-", "/")}/c.log`);
  const paths = ["days/{date:yyyy/MM/dd}/{a,b}.log"];
  const record = await system.ended((await start({ client_id: "site-1", paths })).id);
  expect(record).toMatchObject({ status: "completed", files_received: 2, paths });
  expect(record.resolved_path).toBeNull();
  expect(record.resolved_paths).toEqual([dated(paths[0]!, record, EAST)]);
});

test("a retry and a rerun keep the date, whatever the client's zone is by then", async () => {
  await fleet.join(["west-1", "west-2"], "refuse");
  await zoneOf("west-1", WEST);
  await zoneOf("west-2", EAST);
  const jobId = await fleet.makeJob({
    clients: { ids: ["west-1", "west-2"] },
    download: { file_path: "{date-1d}.txt" },
  });
  const job = await fleet.ended(jobId);
  const before = await fleet.downloadsOf(jobId);
  const at = Date.parse(job.created_at);
  const yesterday = (zone: string) => fillDates("{date-1d}.txt", "path", localTimeAt(at, zone));
  const pathOf = (records: DownloadRecord[], id: string) =>
    records.filter(({ client_id }) => client_id === id).map((one) => one.resolved_path);
  expect(pathOf(before, "west-1")).toEqual([yesterday(WEST)]);
  expect(pathOf(before, "west-2")).toEqual([yesterday(EAST)]);
  expect(yesterday(WEST)).not.toBe(yesterday(EAST));
  await zoneOf("west-1", EAST);
  fleet.go("hold");
  const retried = before.find(({ client_id }) => client_id === "west-1")?.download_id;
  const { body } = await fleet.call("POST", `downloads/${retried}/retry`);
  expect((await recordOf(String(body["download_id"]))).resolved_path).toBe(yesterday(WEST));
  await zoneOf("west-2", WEST);
  await fleet.call("POST", `jobs/${jobId}/rerun`);
  const asked = () => ["west-1", "west-2"].map((id) => fleet.site(id).held[0]?.file_path);
  await waitFor(() => asked().every((path) => path !== undefined), "both to be asked again");
  expect(asked()).toEqual([yesterday(WEST), yesterday(EAST)]);
});

test.each<[string, object, string]>([
  ["a word that only begins like a date", { file_path: "{dates}.csv" }, '"{dates}" is no date'],
  ["another form", { file_path: "x{date:DDMM}" }, '"{date:DDMM}" is no date'],
  ["a pattern's", { paths: ["a", "{date+1d}"] }, '"{date+1d}" is no date'],
  ["what is left out", { paths: ["a"], exclude: ["{date"] }, '"{date" is no date'],
  ["what is too long then", { paths: ["{date}".repeat(150)] }, "too long with its dates"],
])("%s is refused", async (_, order, words) => {
  const single = await start({ client_id: "site-1", ...order });
  expect(single).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  expect(single.body["error"]).toContain(words);
  const job = await fleet.call("POST", "jobs", { clients: { all: true }, download: order });
  expect(job).toMatchObject({ status: 400, body: { code: "invalid_request" } });
});
