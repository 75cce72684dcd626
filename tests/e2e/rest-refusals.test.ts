import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { endpoints } from "../../lib/api/endpoints.ts";
import { DownloadAccepted } from "../../lib/api/schemas.ts";
import {
  AWAY,
  call,
  expectDocumented,
  expectError,
  expectNoSecretInLogs,
  NOWHERE,
  of,
  system,
  useRestStage,
  WRONG_TOKEN,
} from "../support/rest-stage.ts";
import { API_TOKEN, ENROLL_TOKEN } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* The REST interface of a real server: wrong requests are refused with a reason. */

useRestStage();

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
    // The server has accepted the patterns. The request fails only because this client is too old for sets.
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

test("no log holds a secret", expectNoSecretInLogs);
