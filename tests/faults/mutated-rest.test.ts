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
 * Random mutations of requests that /openapi.json describes, sent to a server with downloads in every state.
 * Each must be answered, with a status that fits its error code.
 */

const REQUESTS = 2_000 * EFFORT;
const AT_ONCE = 8;
const TIMEOUT = TEST_LIMIT * Math.max(1, EFFORT);
/** Methods defined by HTTP (RFC 9110, RFC 5789). */
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

/** Sends a request over a plain TCP socket, because HTTP libraries refuse to send invalid requests. */
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

/** Reports whether a request has a valid method and no header that announces more body than is sent. */
function isWhole({ method, headers }: MutatedRequest): boolean {
  const announced = "Transfer-Encoding" in headers || "Content-Length" in headers;
  return METHODS.test(method) && !announced;
}

/**
 * Checks what must hold for every answer: a client error has the documented form, and there is no server
 * error.
 */
function check(request: MutatedRequest, { status, headers, body }: RawAnswer): void {
  const { method } = request;
  // The runtime itself refuses invalid HTTP. It closes the connection without a response, or answers with a
  // status and an empty body.
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

/**
 * Reports whether a request was carried out, or would have been if the named object existed in a suitable
 * state.
 */
function isUnderstood({ status, body }: RawAnswer): boolean {
  if (status === 404) return !body.includes('"code":"not_found"');
  return status < 300 || status === 409 || status === 410;
}

/**
 * Returns path, size and time of each file in the system's folder, except those that the programs may change.
 * For folders, only the path.
 */
async function surroundings(): Promise<string[]> {
  const entries = await readdir(system.folder, { recursive: true });
  // The client's connection.json is left out, because a client notes in it when an operator disconnects it.
  const mayChange = /^downloads\/|^downloads$|\.log$|\/connection\.json(?:\.tmp)?$/;
  const paths = entries.filter((path) => !mayChange.test(path));
  const told = paths.map(async (path) => {
    const file = await stat(join(system.folder, path));
    // The modification time of a folder is left out, because a new log file changes it.
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
    // If few requests were understood, the test would have covered little.
    expect(understood).toBeGreaterThan(REQUESTS / 5);
    expect(await surroundings()).toEqual(before);
    tell(await footprint.expectNoLeak());
    // Downloads from a new client, because some requests may have revoked the others.
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
