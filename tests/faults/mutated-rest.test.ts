import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { OpenApiDocument } from "../../lib/api/openapi-types.ts";
import { ApiError } from "../../lib/api/schemas.ts";
import { type ErrorCode, meaningOf } from "../../lib/protocol/errors.ts";
import { EFFORT, tell } from "./effort.ts";
import { SEED } from "./seeds.ts";
import { watch } from "../support/leaks.ts";
import { type MutatedRequest, MutatedRequests } from "../support/mutated-requests.ts";
import { Random } from "../support/random.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import { md5OfFile, writeRandom } from "../support/sources.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Requests that are almost what /openapi.json describes, made from that document, to a server
 * that has downloads in every state: each is answered, soon, and by what the table of codes says.
 */

const REQUESTS = 2_000 * EFFORT;
const AT_ONCE = 8;
const TIMEOUT = TEST_LIMIT * Math.max(1, EFFORT);
/** That HTTP knows (RFC 9110, RFC 5789). */
const METHODS = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE)$/;
const AWAY = "site-away";
const SCHEDULE = "every-year";

let system: System;
let slow: ScriptedClient;
let document: OpenApiDocument;
let jobId = "";
const ids: string[] = [];

beforeAll(async () => {
  system = await System.start({ REQUEST_RATE: "1000000" });
  await writeRandom(system.source("data.bin"), 20_000);
  await system.startClient();
  const away = { client_id: AWAY, key: "the-key-of-the-one-away", enroll_token: ENROLL_TOKEN };
  const left = await ScriptedClient.register(system.url, away);
  await left[Symbol.asyncDispose]();
  slow = await ScriptedClient.register(system.url, { ...away, client_id: "site-slow" });
  for (const [file, site] of [
    ["data.bin", "site-1"],
    ["missing.bin", "site-1"],
    ["data.bin", AWAY],
    ["data.bin", "site-slow"],
  ]) {
    ids.push(await system.pull(file!, site));
  }
  slow.start(await slow.next("download_request"), new Uint8Array(20_000));
  await system.ended(ids[0]!);
  const job = { clients: { ids: ["site-1"] }, download: { file_path: "data.bin" } };
  jobId = (await system.api.createJob(job)).job_id;
  const schedule = await fetch(`${system.url}/api/schedules`, {
    method: "POST",
    headers: { Authorization: `Bearer ${API_TOKEN}`, "Content-Type": "application/json" },
    body: JSON.stringify({ name: SCHEDULE, cron: "@yearly", time_zone: "site", job }),
  });
  expect(schedule.status).toBe(201);
  document = (await (await fetch(`${system.url}/openapi.json`)).json()) as OpenApiDocument;
});
afterAll(async () => {
  await slow?.[Symbol.asyncDispose]();
  await system?.[Symbol.asyncDispose]();
});

/** Sends a request as it is, right or wrong. No HTTP library would send all of them. */
async function send(request: MutatedRequest): Promise<RawAnswer> {
  const { method, target, headers, body } = request;
  const lines = [`${method} ${target} HTTP/1.1`, "Connection: close"];
  const sent = {
    Host: "localhost",
    ...(body !== "" && { "Content-Length": String(Buffer.byteLength(body)) }),
    ...headers,
  };
  for (const [name, value] of Object.entries(sent)) lines.push(`${name}: ${value}`);
  return sendRaw(system.port, `${lines.join("\r\n")}\r\n\r\n${body}`, isWhole(request));
}

/** Whether it is HTTP, and no more is said to follow than does. */
function isWhole({ method, headers }: MutatedRequest): boolean {
  const announced = "Transfer-Encoding" in headers || "Content-Length" in headers;
  return METHODS.test(method) && !announced;
}

/** What any answer must be, to whatever. */
function check(request: MutatedRequest, { status, headers, body }: RawAnswer): void {
  const { method } = request;
  // What is no HTTP never gets to our code: the runtime closes, with a bare status or without.
  if (Number.isNaN(status)) return expect(isWhole(request)).toBe(false);
  if (body === "" && [400, 413, 431, 505].includes(status)) return;
  expect(status).toBeLessThan(500);
  if (status < 400 || status === 416 || method === "HEAD") return;
  expect(headers.get("Content-Type")).toBe("application/json");
  const { error, code } = ApiError.strict().parse(JSON.parse(body));
  expect(meaningOf(code as ErrorCode).http).toBe(status);
  expect(error).not.toContain(system.folder);
  expect(error).not.toMatch(/\n|^$/);
  expect(error.length).toBeLessThan(1000);
}

/** Whether a request was carried out, or was right but for what it named. */
function isUnderstood({ status, body }: RawAnswer): boolean {
  if (status === 404) return !body.includes('"code":"not_found"');
  return status < 300 || status === 409 || status === 410;
}

/** Every file of the system, but for what the programs may write: path, size and time; of folders, the path. */
async function surroundings(): Promise<string[]> {
  const entries = await readdir(system.folder, { recursive: true });
  // A client that a request cut off writes so into its connection.json.
  const mayChange = /^downloads\/|^downloads$|\.log$|\/connection\.json(?:\.tmp)?$/;
  const paths = entries.filter((path) => !mayChange.test(path));
  const told = paths.map(async (path) => {
    const file = await stat(join(system.folder, path));
    // A log that begins changes the time of its folder.
    return file.isDirectory() ? path : `${path} ${file.size} ${file.mtimeMs}`;
  });
  return (await Promise.all(told)).toSorted();
}

test(
  `${REQUESTS} mutated requests (FDS_SEED=${SEED})`,
  async () => {
    const before = await surroundings();
    const footprint = await watch(system.server);
    const hints = {
      download_id: ids,
      client_id: ["site-1", AWAY, "site-slow"],
      file_path: ["data.bin", "missing.bin"],
      cursor: ids,
      token: [API_TOKEN],
      job_id: [jobId],
      name: [SCHEDULE],
      cron: ["@yearly", "30 2 * * *"],
      time_zone: ["site", "Asia/Kolkata"],
    };
    const right = { Authorization: `Bearer ${API_TOKEN}` };
    const requests = new MutatedRequests(document, new Random(SEED), hints, right);
    const statuses: Record<string, number> = {};
    let sent = 0;
    let understood = 0;
    const senders = Array.from({ length: AT_ONCE }, async () => {
      while (sent++ < REQUESTS) {
        const request = requests.next();
        try {
          const answer = await send(request);
          statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
          check(request, answer);
          if (isUnderstood(answer)) understood++;
        } catch (cause) {
          throw new Error(`the answer is not right to ${JSON.stringify(request)}`, { cause });
        }
      }
    });
    await Promise.all(senders);
    tell(`${REQUESTS} requests, ${understood} understood, by status: ${JSON.stringify(statuses)}`);
    // Many were understood, or little was put to the test.
    expect(understood).toBeGreaterThan(REQUESTS / 5);
    expect(await surroundings()).toEqual(before);
    tell(await footprint.expectNoLeak());
    // One that is new: some of the requests may have revoked the others.
    await system.startClient({ id: "site-2" });
    const record = await system.ended(await system.pull("data.bin", "site-2"));
    const md5 = await md5OfFile(system.source("data.bin"));
    expect(record).toMatchObject({ status: "completed", md5 });
    expect(
      system.server.log().filter(({ level }) => level === "error" || level === "none"),
    ).toEqual([]);
  },
  TIMEOUT,
);
