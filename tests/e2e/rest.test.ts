import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { endpoints } from "../../lib/api/endpoints.ts";
import type { Endpoint } from "../../lib/api/endpoints/endpoint.ts";
import { openApiDocument } from "../../lib/api/openapi.ts";
import { ApiError, DownloadAccepted, DownloadList, DownloadRecord } from "../../lib/api/schemas.ts";
import { type ErrorCode, meaningOf } from "../../lib/protocol/errors.ts";
import { version } from "../../package.json";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { md5OfFile, writeRandom } from "../support/sources.ts";
import { Listener } from "../support/events.ts";
import { spawn } from "../support/spawn.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * The REST interface of a real server, call by call. Every answer is held against the schemas
 * that the OpenAPI document is made of.
 */

const SIZE = 200_000;
const AWAY = "site-away";
const NOWHERE = "0198c0de-0000-7000-8000-000000000000";
/** A wrong token that must not be found in the log either. */
const WRONG_TOKEN = "the-wrong-token";

let system: System;
/** One download of each kind. */
const ids = { completed: "", failed: "", cancelled: "", queued: "", downloading: "" };
/** A client that has begun to send a file and goes no further. */
let slow: ScriptedClient;

beforeAll(async () => {
  system = await System.start();
  await writeRandom(system.source("data.bin"), SIZE);
  await system.startClient({ id: "site-1" });
  const away = { client_id: AWAY, key: "the-key-of-the-one-away", enroll_token: ENROLL_TOKEN };
  const left = await ScriptedClient.register(system.url, away);
  await left[Symbol.asyncDispose]();
  slow = await ScriptedClient.register(system.url, { ...away, client_id: "site-slow" });

  ids.completed = await system.pull("data.bin");
  ids.failed = await system.pull("missing.bin");
  ids.cancelled = await system.pull("data.bin", AWAY);
  await system.api.cancel(ids.cancelled);
  ids.queued = await system.pull("data.bin", AWAY);
  ids.downloading = await system.pull("data.bin", "site-slow");
  slow.start(await slow.next("download_request"), new Uint8Array(SIZE));
  await slow.next("credit");
  await system.ended(ids.completed);
  await system.ended(ids.failed);
});
afterAll(async () => {
  await slow?.[Symbol.asyncDispose]();
  await system?.[Symbol.asyncDispose]();
});

interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

/** A call as anybody could make it; JSON of the body, unless it is text already. */
async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(system.url + path, {
    method,
    headers: { Authorization: `Bearer ${API_TOKEN}`, ...headers },
    body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== "" ? JSON.parse(text) : text,
  };
}

/** Holds an answer against what the document says of the call. */
function expectDocumented(endpoint: Endpoint, { status, body }: Answer): void {
  const documented = endpoint.answers.find((answer) => answer.status === status);
  // A schema leaves out what it does not know, so this also finds what is too much.
  if (documented?.schema) return expect(documented.schema.parse(body)).toEqual(body as object);
  if (documented) return;
  const error = ApiError.strict().parse(body);
  const common: ErrorCode[] = ["unauthorized", "invalid_request", "rate_limited", "internal_error"];
  const known = [...endpoint.errors, ...common].find((code) => code === error.code);
  expect(known, `${endpoint.method} ${endpoint.path} may not answer ${error.code}`).toBeDefined();
  expect(status).toBe(meaningOf(known!).http!);
}

function expectError({ status, body }: Answer, code: ErrorCode, message: RegExp = /./): void {
  expect(body).toEqual({ error: expect.stringMatching(message), code });
  expect(status).toBe(meaningOf(code).http!);
  const { error } = body as ApiError;
  expect(error).not.toContain(system.folder);
  expect(error).not.toContain("\n    at ");
}

const of = (id: string, action = "") => `/api/downloads/${id}${action}`;

/** The path that a Location means, in the answer to a call of another path. */
const placeOf = ({ headers }: Answer, path: string) =>
  new URL(headers.get("Location") ?? "", system.url + path).pathname;

describe("what goes well", () => {
  test("GET /health, without a token", async () => {
    const answer = await call("GET", "/health", undefined, { Authorization: "" });
    expect(answer.status).toBe(200);
    expectDocumented(endpoints.health, answer);
    expect(answer.body).toMatchObject({
      status: "healthy",
      server_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      version,
      connected_clients: 2,
      active_downloads: 1,
    });
  });

  test("GET /live, without a token", async () => {
    const answer = await call("GET", "/live", undefined, { Authorization: "" });
    expect(answer).toMatchObject({ status: 200, body: { status: "live" } });
    expectDocumented(endpoints.live, answer);
  });

  test("GET /openapi.json, without a token: the document of these very schemas", async () => {
    const answer = await call("GET", "/openapi.json", undefined, { Authorization: "" });
    expect(answer).toMatchObject({ status: 200, body: { openapi: "3.1.0" } });
    expect(answer.body).toEqual(JSON.parse(JSON.stringify(await openApiDocument(version))));
  });

  test("GET /api/clients, also those that are away", async () => {
    const answer = await call("GET", "/api/clients");
    expectDocumented(endpoints.listClients, answer);
    expect(answer.body).toMatchObject({
      clients: [
        { client_id: "site-1", connected: true, active_downloads: 0, version },
        { client_id: AWAY, connected: false, hostname: REGISTER.hostname },
        { client_id: "site-slow", connected: true, active_downloads: 1 },
      ],
    });
  });

  test("POST /api/download, with the default file and the place of the record", async () => {
    const answer = await call("POST", "/api/download", { client_id: AWAY });
    expectDocumented(endpoints.startDownload, answer);
    expect(answer.status).toBe(202);
    const { download_id } = DownloadAccepted.parse(answer.body);
    expect(placeOf(answer, "/api/download")).toBe(of(download_id));
    const record = await call("GET", of(download_id));
    expect(record.body).toMatchObject({ file_path: "file_to_download.txt", status: "queued" });
    await system.api.cancel(download_id);
  });

  test.each(Object.keys(ids) as (keyof typeof ids)[])("GET a %s download", async (status) => {
    const answer = await call("GET", of(ids[status]));
    expectDocumented(endpoints.getDownload, answer);
    expect(answer.body).toMatchObject({ download_id: ids[status], status });
  });

  test("a completed record tells all", async () => {
    const { body } = await call("GET", of(ids.completed));
    expect(body).toMatchObject({
      client_id: "site-1",
      file_path: "data.bin",
      total_size: SIZE,
      bytes_received: SIZE,
      percent: 100,
      total_chunks: 1,
      chunks_received: 1,
      md5: await md5OfFile(system.source("data.bin")),
      saved_path: expect.stringMatching(/^site-1\/\d{8}_\d{6}_data\.bin$/),
      attempts: 1,
      error: null,
      error_code: null,
    });
  });

  test("a failed record tells why", async () => {
    const { body } = await call("GET", of(ids.failed));
    expect(body).toMatchObject({
      error_code: "file_not_found",
      error: 'the client has no file "missing.bin"',
      saved_path: null,
      md5: null,
    });
  });
});

describe("the list", () => {
  /** All pages, one after the other. */
  async function allPages(query: string): Promise<DownloadRecord[][]> {
    const pages: DownloadRecord[][] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const answer: Answer = await call("GET", `/api/downloads?${query}${cursor}`);
      expectDocumented(endpoints.listDownloads, answer);
      const { downloads, next_cursor } = DownloadList.parse(answer.body);
      pages.push(downloads);
      cursor = next_cursor && `&cursor=${next_cursor}`;
    }
    return pages;
  }

  test("comes in pages, newest first, each download once", async () => {
    const made: string[] = [];
    for (let n = 0; n < 11; n++) made.push(await system.pull(`${n}.bin`, AWAY));
    const newest = made.toReversed();
    const pages = await allPages(`limit=5&client_id=${AWAY}&status=queued`);
    const found = pages.map((page) => page.map(({ download_id }) => download_id));
    expect(found).toEqual([newest.slice(0, 5), newest.slice(5, 10), [newest[10]!, ids.queued]]);
    for (const id of made) await system.api.cancel(id);
  });

  test("ends where a page is just full", async () => {
    expect(await allPages(`limit=1&status=failed`)).toHaveLength(1);
    expect(await allPages(`client_id=nobody`)).toEqual([[]]);
  });

  test.each(Object.keys(ids) as (keyof typeof ids)[])(
    "of %s downloads has no other",
    async (status) => {
      const records = (await allPages(`status=${status}`)).flat();
      expect(records.map(({ download_id }) => download_id)).toContain(ids[status]);
      expect(records.every((record) => record.status === status)).toBe(true);
    },
  );
});

describe("what is not right is refused, in words", () => {
  const POST = "/api/download";
  const right = { client_id: AWAY };

  test.each<[unknown, RegExp]>([
    ["", /not JSON/],
    ["{", /not JSON/],
    ["client_id=x", /not JSON/],
    ['{"client_id":"site-1"}}', /not JSON/],
    [[], /body/],
    ["null", /body/],
    ["5", /body/],
    [{}, /"client_id"/],
    [{ client_id: null }, /"client_id"/],
    [{ client_id: 5 }, /"client_id"/],
    [{ client_id: [AWAY] }, /"client_id"/],
    [{ client_id: "" }, /"client_id"/],
    [{ client_id: ".." }, /"client_id"/],
    [{ client_id: "a/b" }, /"client_id"/],
    [{ client_id: "a\nb" }, /"client_id"/],
    [{ client_id: `${AWAY}\n` }, /"client_id"/],
    [{ client_id: "-a" }, /"client_id"/],
    [{ client_id: "я" }, /"client_id"/],
    [{ client_id: "x".repeat(65) }, /"client_id"/],
    [{ ...right, file_path: "" }, /"file_path".*empty/],
    [{ ...right, file_path: null }, /"file_path"/],
    [{ ...right, file_path: {} }, /"file_path"/],
    [{ ...right, file_path: "a\0b" }, /"file_path".*NUL/],
    [{ ...right, file_path: "x".repeat(4097) }, /"file_path".*4096/],
    [{ ...right, if_offline: "maybe" }, /"if_offline"/],
    [{ ...right, if_offline: true }, /"if_offline"/],
    [{ ...right, filepath: "a" }, /Unknown field "filepath"/],
    [{ ...right, status: "completed", md5: "x" }, /Unknown fields "status", "md5"/],
  ])("POST /api/download %j", async (body, message) => {
    expectError(await call("POST", POST, body), "invalid_request", message);
  });

  test.each([
    ["status=done", /"status"/],
    ["status=", /"status"/],
    ["client_id=a%20b", /"client_id"/],
    ["limit=0", /"limit".*1 to 1000/],
    ["open=false", /"open"/],
    ["open=true&status=completed", /"open": only what failed is open/],
    ["limit=-1", /"limit"/],
    ["limit=1001", /"limit"/],
    ["limit=1e3", /"limit"/],
    ["limit=99999999999999999999", /"limit"/],
    ["limit=ten", /"limit"/],
    ["limit=", /"limit"/],
    ["limit=1&limit=2", /"limit"/],
    ["cursor=abc", /"cursor"/],
    ["cursor=1%27%20OR%201=1", /"cursor"/],
    ["page=2", /Unknown field "page"/],
    ["__proto__=1", /Unknown field "__proto__"/],
  ])("GET /api/downloads?%s", async (query, message) => {
    expectError(await call("GET", `/api/downloads?${query}`), "invalid_request", message);
  });

  test.each([
    ["GET", "/health"],
    ["GET", "/openapi.json"],
    ["GET", "/api/clients"],
    ["GET", of(NOWHERE)],
    ["GET", of(NOWHERE, "/content")],
    ["PATCH", of(NOWHERE)],
    ["POST", of(NOWHERE, "/cancel")],
    ["POST", of(NOWHERE, "/retry")],
  ])("a field that %s %s does not know", async (method, path) => {
    expectError(await call(method, `${path}?bogus=1`), "invalid_request", /Unknown field "bogus"/);
  });

  test("a body of more than 64 KiB, with its length or without", async () => {
    const body = JSON.stringify({ ...right, file_path: "x".repeat(64 * 1024) });
    expectError(await call("POST", POST, body), "request_too_large", /64 KiB/);
    const stream = new Blob([body]).stream();
    const answer = await fetch(system.url + POST, {
      method: "POST",
      headers: { Authorization: `Bearer ${API_TOKEN}` },
      body: stream,
    });
    expect([answer.status, await answer.json()]).toEqual([
      413,
      { error: "The body is over 64 KiB", code: "request_too_large" },
    ]);
  });

  test("but a body of 64 KiB is read", async () => {
    const body = JSON.stringify(right).padEnd(64 * 1024, " ");
    const answer = await call("POST", POST, body);
    expect(answer.status).toBe(202);
    await system.api.cancel(DownloadAccepted.parse(answer.body).download_id);
  });

  test("but the patterns of a set may have more", async () => {
    const paths = Array.from({ length: 100 }, (_, n) => `${n}/${"x".repeat(1_000)}`);
    const answer = await call("POST", POST, { client_id: right.client_id, paths });
    // It was read: this client knows no sets.
    expectError(answer, "client_outdated");
  });

  test("a client that was never seen", async () => {
    const answer = await call("POST", POST, { client_id: "never-seen" });
    expectError(answer, "client_not_found", /"never-seen"/);
    expectDocumented(endpoints.startDownload, answer);
  });

  test("a client that is away, where that matters", async () => {
    const answer = await call("POST", POST, { ...right, if_offline: "fail" });
    expectError(answer, "client_not_connected", new RegExp(AWAY));
    const waits = await call("POST", POST, { ...right, if_offline: "wait" });
    expect(waits).toMatchObject({ status: 202, body: { success: true, status: "queued" } });
    await system.api.cancel(DownloadAccepted.parse(waits.body).download_id);
  });

  test.each([
    NOWHERE,
    "1",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "%E0%A4%A",
    "'%20OR%201=1--",
    "x".repeat(5000),
  ])("an id that no download has: %s", async (id) => {
    for (const [method, path, endpoint] of [
      ["GET", of(id), endpoints.getDownload],
      ["GET", of(id, "/content"), endpoints.downloadContent],
      ["POST", of(id, "/cancel"), endpoints.cancelDownload],
      ["POST", of(id, "/retry"), endpoints.retryDownload],
    ] as const) {
      const answer = await call(method, path);
      expectError(answer, "download_not_found");
      expectDocumented(endpoint, answer);
    }
  });

  test.each([
    "/nowhere",
    "/api",
    "/api/nowhere",
    "/api/downloads/a/b/c",
    "/api/clients/",
    "/.env",
    "/package.json",
  ])("an address that is none: %s", async (path) => {
    for (const method of ["GET", "POST", "DELETE"]) {
      expectError(await call(method, path), "not_found");
    }
  });

  test.each([
    ["/health", "GET, HEAD"],
    ["/openapi.json", "GET, HEAD"],
    ["/api/clients", "GET, HEAD"],
    ["/api/download", "POST"],
    ["/api/downloads", "GET, HEAD"],
    [of(NOWHERE), "GET, HEAD, PATCH"],
    [of(NOWHERE, "/content"), "GET, HEAD, DELETE"],
    [of(NOWHERE, "/cancel"), "POST"],
    [of(NOWHERE, "/retry"), "POST"],
  ])("the wrong method at %s", async (path, allowed) => {
    const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    for (const method of methods.filter((each) => !allowed.includes(each))) {
      const answer = await call(method, path);
      expectError(answer, "method_not_allowed", /^Use /);
      expect(answer.headers.get("Allow")).toBe(allowed);
    }
  });

  test("a WebSocket's address without one, or with another protocol", async () => {
    expectError(await call("GET", "/ws"), "invalid_request", /WebSocket/);
    const other = { "Sec-WebSocket-Protocol": "fds.v99" };
    expectError(await call("GET", "/ws", undefined, other), "invalid_request", /fds\.v1/);
  });

  test("a WebSocket that another site's page opens", async () => {
    const foreign = { Origin: "https://example.com" };
    expectError(await call("GET", "/ws", undefined, foreign), "forbidden", /Clients connect/);
  });
});

describe("without the token nobody is told anything", () => {
  const calls: [string, string][] = [
    ["GET", "/api/clients"],
    ["POST", "/api/download"],
    ["GET", "/api/downloads"],
    ["GET", "/api/downloads?limit=0"],
    ["GET", of(NOWHERE)],
    ["PATCH", of(NOWHERE)],
    ["GET", of(NOWHERE, "/content")],
    ["HEAD", of(NOWHERE, "/content")],
    ["POST", of(NOWHERE, "/cancel")],
    ["POST", of(NOWHERE, "/retry")],
    ["PUT", "/api/clients"],
    ["GET", "/api/nowhere"],
  ];

  test.each(calls)("%s %s", async (method, path) => {
    for (const Authorization of [
      "",
      API_TOKEN,
      "Bearer",
      `Bearer ${WRONG_TOKEN}`,
      `Bearer ${API_TOKEN}x`,
      `Bearer ${ENROLL_TOKEN}`,
      `Basic ${btoa(`admin:${API_TOKEN}`)}`,
    ]) {
      const answer = await call(method, path, method === "POST" ? "{" : undefined, {
        Authorization,
      });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("WWW-Authenticate")).toStartWith("Bearer");
      if (method !== "HEAD") expectError(answer, "unauthorized");
    }
  });
});

describe("a change of the rate", () => {
  const change = (id: string, body: unknown) => call("PATCH", of(id), JSON.stringify(body));

  test.each(["queued", "downloading"] as const)("of a %s download", async (status) => {
    for (const rate_limit of [1024, Number.MAX_SAFE_INTEGER, null]) {
      const answer = await change(ids[status], { rate_limit });
      expectDocumented(endpoints.changeDownload, answer);
      expect(answer).toMatchObject({ status: 200, body: { status, rate_limit } });
      expect((await call("GET", of(ids[status]))).body).toMatchObject({ rate_limit });
    }
  });

  test.each(["completed", "failed", "cancelled"] as const)("of a %s one", async (status) => {
    const answer = await change(ids[status], { rate_limit: 2048 });
    expectError(answer, "download_already_ended", new RegExp(status));
    expectDocumented(endpoints.changeDownload, answer);
  });

  test("of one that there is not", async () => {
    expectError(await change(NOWHERE, { rate_limit: null }), "download_not_found");
  });

  test.each(["{}", "[]", "null", ...["1023", "1e300", '"2MiB"'].map((n) => `{"rate_limit":${n}}`)])(
    "to %s",
    async (body) => {
      expectError(await call("PATCH", of(ids.queued), body), "invalid_request");
      expect((await call("GET", of(ids.queued))).body).toMatchObject({ rate_limit: null });
    },
  );
});

describe("cancel and retry", () => {
  test.each([
    ["completed", "download_already_ended", "download_already_ended"],
    ["failed", "download_already_ended", null],
    ["cancelled", "download_already_ended", null],
    ["queued", null, "download_not_finished"],
    ["downloading", null, "download_not_finished"],
  ] as const)("a %s download", async (status, onCancel, onRetry) => {
    if (onRetry) {
      const answer = await call("POST", of(ids[status], "/retry"));
      expectError(answer, onRetry);
      expectDocumented(endpoints.retryDownload, answer);
      expect(answer.status).toBe(409);
    }
    if (onCancel) {
      const answer = await call("POST", of(ids[status], "/cancel"));
      expectError(answer, onCancel, new RegExp(status));
      expectDocumented(endpoints.cancelDownload, answer);
      expect(answer.status).toBe(409);
    }
  });

  test("cancel ends a download, once", async () => {
    const id = await system.pull("data.bin", AWAY);
    const answer = await call("POST", of(id, "/cancel"));
    expectDocumented(endpoints.cancelDownload, answer);
    expect(answer).toMatchObject({ status: 200, body: { download_id: id, status: "cancelled" } });
    expectError(await call("POST", of(id, "/cancel")), "download_already_ended");
    expect((await call("GET", of(id))).body).toEqual(answer.body as object);
  });

  test.each(["failed", "cancelled"] as const)(
    "retry of a %s one is a new download of the same file",
    async (status) => {
      const before = (await call("GET", of(ids[status]))).body as DownloadRecord;
      const answer = await call("POST", of(ids[status], "/retry"));
      expectDocumented(endpoints.retryDownload, answer);
      expect(answer.status).toBe(202);
      const { download_id } = DownloadAccepted.parse(answer.body);
      expect(placeOf(answer, of(ids[status], "/retry"))).toBe(of(download_id));
      const { client_id, file_path } = before;
      expect((await call("GET", of(download_id))).body).toMatchObject({ client_id, file_path });
      // What has ended stays as it was, and names what came in its place.
      expect((await call("GET", of(ids[status]))).body).toEqual({
        ...before,
        retried_as: download_id,
      });
      if (status === "cancelled") await system.api.cancel(download_id);
      else expect(await system.ended(download_id)).toMatchObject({ status: "failed" });
    },
  );
});

describe("what failed", () => {
  /** Downloads whose files are still owed, with their number in the totals. */
  async function owed(): Promise<string[]> {
    const list = await call("GET", "/api/downloads?status=failed&open=true");
    expectDocumented(endpoints.listDownloads, list);
    const found = DownloadList.parse(list.body).downloads.map(({ download_id }) => download_id);
    const later = new Date(Date.now() + 60_000).toISOString();
    const totals = await call("GET", `/api/totals?since=${later}`);
    expectDocumented(endpoints.totals, totals);
    expect(totals.body).toMatchObject({ open_failures: found.length });
    expect((await call("GET", "/metrics")).body).toContain(`fds_open_failures ${found.length}\n`);
    return found;
  }

  test("is owed until a retry of it is completed, or cancelled", async () => {
    const before = await owed();
    const first = await system.pull("late.bin");
    await system.ended(first);
    expect(await owed()).toEqual([first, ...before]);
    // A retry that waits or runs is no failure, and one that fails is owed in place of the first.
    const second = (await system.api.retry(first)).download_id;
    await system.ended(second);
    expect(await owed()).toEqual([second, ...before]);
    await Bun.write(system.source("late.bin"), "there now");
    const third = (await system.api.retry(second)).download_id;
    expect(await owed()).toEqual(before);
    expect(await system.ended(third)).toMatchObject({ status: "completed", retried_as: null });
    expect(await owed()).toEqual(before);
    expect((await call("GET", of(first))).body).toMatchObject({
      status: "failed",
      retried_as: second,
    });
  });

  test("is told to who follows, when it is retried", async () => {
    const failed = await system.pull("missing.bin");
    await system.ended(failed);
    const listener = new Listener(
      await fetch(`${system.url}/api/events`, {
        headers: { Authorization: `Bearer ${API_TOKEN}` },
      }),
    );
    await listener.next();
    const { download_id } = await system.api.retry(failed);
    const told = await listener.until(
      ({ event, data }) => event === "download" && data.download_id === failed,
    );
    expect(told.data).toMatchObject({ status: "failed", retried_as: download_id });
    await listener.close();
    await system.ended(download_id);
  });
});

describe("the content", () => {
  const content = (headers: Record<string, string> = {}, method = "GET") =>
    fetch(system.url + of(ids.completed, "/content"), {
      method,
      headers: { Authorization: `Bearer ${API_TOKEN}`, ...headers },
    });

  test("is the file, with what a program that downloads wants to know", async () => {
    const bytes = await Bun.file(system.source("data.bin")).bytes();
    const response = await content();
    expect(response.status).toBe(200);
    const { saved_path, md5 } = await system.api.download(ids.completed);
    const name = saved_path!.split("/")[1];
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-length": String(SIZE),
      etag: `"${md5}"`,
      "accept-ranges": "bytes",
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="${name}"; filename*=UTF-8''${name}`,
    });
    expect(Buffer.compare(await response.bytes(), bytes)).toBe(0);
  });

  test("comes in parts", async () => {
    const bytes = await Bun.file(system.source("data.bin")).bytes();
    for (const [range, start, end] of [
      ["bytes=0-0", 0, 1],
      ["bytes=100-199999", 100, SIZE],
      ["bytes=-5", SIZE - 5, SIZE],
    ] as const) {
      const response = await content({ Range: range });
      expect(response.status).toBe(206);
      expect(response.headers.get("Content-Range")).toBe(`bytes ${start}-${end - 1}/${SIZE}`);
      expect(response.headers.get("Content-Length")).toBe(String(end - start));
      expect(Buffer.compare(await response.bytes(), bytes.slice(start, end))).toBe(0);
    }
  });

  test("outside the file is not there", async () => {
    const response = await content({ Range: `bytes=${SIZE}-` });
    expect(response.status).toBe(416);
    expect(response.headers.get("Content-Range")).toBe(`bytes */${SIZE}`);
  });

  test("that is known already is not sent again", async () => {
    const etag = (await content({}, "HEAD")).headers.get("ETag")!;
    const known = await content({ "If-None-Match": etag });
    expect([known.status, await known.text()]).toEqual([304, ""]);
    const resumed = await content({ "If-Range": etag, Range: "bytes=1-1" });
    expect(resumed.status).toBe(206);
    const changed = await content({ "If-Range": '"another"', Range: "bytes=1-1" });
    expect([changed.status, (await changed.bytes()).length]).toEqual([200, SIZE]);
  });

  const NO_CURL = Bun.which("curl") ? "" : " (needs curl: apt-get install curl)";
  test.skipIf(NO_CURL !== "")(
    `that is not there is not saved as if it were, by who saves what a link gives${NO_CURL}`,
    async () => {
      const saved = async (flags: string) => {
        const folder = await mkdtemp(join(system.folder, "saved-"));
        const url = system.url + of(ids.failed, "/content");
        const header = `Authorization: Bearer ${API_TOKEN}`;
        const curl = spawn(["curl", "-s", "-H", header, flags, url], { cwd: folder });
        await curl.exited;
        const names = await readdir(folder);
        return Promise.all(
          names.map(async (name) => [name, await Bun.file(join(folder, name)).text()] as const),
        );
      };
      expect(await saved("-OJ")).toEqual([
        ["error.json", expect.stringContaining("download_not_finished")],
      ]);
      // As lib/api/README.md has it: some versions make an empty file.
      for (const file of await saved("-fOJ")) expect(file).toEqual(["error.json", ""]);
    },
  );

  test("by HEAD is its headers", async () => {
    const response = await content({}, "HEAD");
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Length")).toBe(String(SIZE));
    expect(response.headers.get("ETag")).toMatch(/^"[0-9a-f]{32}"$/);
    expect(await response.text()).toBe("");
  });

  test.each(["failed", "cancelled", "queued", "downloading"] as const)(
    "of a %s download is not there",
    async (status) => {
      const answer = await call("GET", of(ids[status], "/content"));
      expectError(answer, "download_not_finished", new RegExp(status));
      expect(answer.headers.get("Content-Disposition")).toBe('inline; filename="error.json"');
      expectDocumented(endpoints.downloadContent, answer);
      expect((await call("HEAD", of(ids[status], "/content"))).status).toBe(409);
    },
  );

  test("that was taken away from the disk is told so", async () => {
    await Bun.write(system.source("empty.bin"), "");
    const id = await system.pull("empty.bin");
    const { saved_path } = await system.ended(id);
    const response = await call("GET", of(id, "/content"));
    expect(response).toMatchObject({ status: 200, body: "" });
    await Bun.file(join(system.folder, "downloads", saved_path!)).delete();
    const answer = await call("GET", of(id, "/content"));
    expectError(answer, "not_found", /removed or changed/);
    expectDocumented(endpoints.downloadContent, answer);
  });

  test.skipIf(process.platform === "win32")(
    "has a name that no header is broken by (needs POSIX file names)",
    async () => {
      for (const name of [
        'a"b;c.txt',
        "100%41.txt",
        "a\r\nX-Evil: 1.txt",
        "смета 1.txt",
        "a'(*).txt",
        "x\\..\\y.txt",
      ]) {
        await Bun.write(system.source(name), name);
        const id = await system.pull(name);
        const { status, saved_path } = await system.ended(id);
        expect(status).toBe("completed");
        const response = await call("GET", of(id, "/content"));
        expect(response).toMatchObject({ status: 200, body: name });
        expect(response.headers.has("X-Evil")).toBe(false);
        const disposition = response.headers.get("Content-Disposition")!;
        const [, plain, encoded] =
          /^attachment; filename="([^"\\]*)"; filename\*=UTF-8''([\w.%!~-]*)$/.exec(disposition)!;
        expect(`site-1/${decodeURIComponent(encoded!)}`).toBe(saved_path!);
        expect(plain).toMatch(/^[\x20-\x7e]+$/);
      }
    },
  );
});

test("a disk that is too full takes nothing new, and says so", async () => {
  await using full = await System.start({ MIN_FREE_DISK: "1000000GiB", ENROLL_TOKEN: "" });
  await using client = await ScriptedClient.register(full.url, {});
  const response = await fetch(`${full.url}/api/download`, {
    method: "POST",
    headers: { Authorization: `Bearer ${API_TOKEN}` },
    body: JSON.stringify({ client_id: REGISTER.client_id }),
  });
  expect([response.status, await response.json()]).toEqual([
    507,
    { error: "The server's disk is too full for another download", code: "storage_full" },
  ]);
  expect((await full.api.downloads()).downloads).toEqual([]);
  expect(client.isOpen).toBe(true);
});

test("no log holds a secret", async () => {
  const key = await Bun.file(join(system.folder, "site-1/key")).text();
  const logs = (await readdir(system.folder)).filter((name) => name.endsWith(".log"));
  expect(logs.toSorted()).toEqual(["server.log", "site-1.log"]);
  for (const name of logs) {
    const text = await Bun.file(join(system.folder, name)).text();
    expect(text).not.toBe("");
    for (const secret of [API_TOKEN, ENROLL_TOKEN, WRONG_TOKEN, key, "the-key-of-the-one-away"]) {
      expect(text.includes(secret), `${name} holds "${secret}"`).toBe(false);
    }
  }
});
