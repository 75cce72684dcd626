import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ApiError } from "../../lib/api/schemas.ts";
import { type ErrorCode, meaningOf } from "../../lib/protocol/errors.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Malformed HTTP requests, written by hand: each gets a fitting error, and never status 500 or a stack trace.
 */

let system: System;

beforeAll(async () => {
  system = await System.start();
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
});

/** Sends an HTTP head with these lines, and optionally a body. */
function send(
  lines: string[],
  body: string | Uint8Array = "",
  isWhole = false,
): Promise<RawAnswer> {
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
  return sendRaw(
    system.port,
    Buffer.concat([head, typeof body === "string" ? Buffer.from(body) : body]),
    isWhole,
  );
}

const HEAD = ["Host: localhost", "Connection: close", `Authorization: Bearer ${API_TOKEN}`];

function expectError({ status, headers, body }: RawAnswer, code: ErrorCode): void {
  const error = ApiError.parse(JSON.parse(body));
  expect([status, error.code]).toEqual([meaningOf(code).http!, code]);
  expect(headers.get("Content-Type")).toBe("application/json");
  expect(error.error).not.toMatch(/\n|\/(?:tmp|home|lib)\//);
}

describe("what is there is found", () => {
  test.each([
    ["by HTTP/1.0 without a Host, as old health checks do", ["GET /health HTTP/1.0"]],
    ["by a whole URL", ["GET http://elsewhere/health HTTP/1.1", ...HEAD]],
    ["in another spelling", ["GET /%68ealth HTTP/1.1", ...HEAD]],
    ["with a body that nobody asked for", ["GET /health HTTP/1.1", "Content-Length: 0", ...HEAD]],
  ])("%s", async (_, lines) => {
    const { status, body } = await send(lines);
    expect([status, JSON.parse(body).status]).toEqual([200, "healthy"]);
  });
});

describe("what is not there, or not right, has an error of its own", () => {
  test.each<[string, string, ErrorCode]>([
    ["half a percent", "GET /api/downloads/%ZZ", "download_not_found"],
    ["half a character", "GET /api/downloads/%E0%A4%A", "download_not_found"],
    ["a NUL", "GET /api/downloads/%00", "download_not_found"],
    ["an id that is far too long", `GET /api/downloads/${"x".repeat(8000)}`, "download_not_found"],
    ["a lone percent", "GET /%", "not_found"],
    ["half a percent in the query", "GET /api/downloads?cursor=%ZZ", "invalid_request"],
    ["slashes alone", "GET //", "not_found"],
    ["slashes twice", "GET //api//clients", "not_found"],
    ["a way out", "GET /api/../../etc/passwd", "not_found"],
    ["a coded way out", "GET /..%2f..%2fetc%2fpasswd", "not_found"],
    ["a long path", `GET /${"x".repeat(8000)}`, "not_found"],
    ["OPTIONS", "OPTIONS /api/clients", "method_not_allowed"],
    ["TRACE", "TRACE /api/clients", "method_not_allowed"],
    ["a way to elsewhere", "CONNECT example.com:443", "not_found"],
    ["no WebSocket", "GET /ws", "invalid_request"],
  ])("%s", async (_, request, code) => {
    expectError(await send([`${request} HTTP/1.1`, ...HEAD]), code);
  });

  test.each<[string, string[], string | Uint8Array, ErrorCode]>([
    ["no body", [], "", "invalid_request"],
    ["a body that is cut", ["Content-Length: 5"], '{"client_id":"a"}', "invalid_request"],
    ["bytes that are no text", ["Content-Length: 3"], Buffer.of(255, 254, 1), "invalid_request"],
    ["a length beyond all limits", ["Content-Length: 100000000"], "{}", "request_too_large"],
    [
      "too much in one chunk",
      ["Transfer-Encoding: chunked"],
      `11000\r\n${" ".repeat(0x11000)}\r\n0\r\n\r\n`,
      "request_too_large",
    ],
  ])("%s", async (_, lines, body, code) => {
    expectError(await send(["POST /api/download HTTP/1.1", ...HEAD, ...lines], body), code);
  });

  test.each(["/health", "/ws"])("a Host that is none: %s", async (path) => {
    const lines = [`GET ${path} HTTP/1.1`, "Host: [::", "Origin: http://x", "Connection: close"];
    expectError(await send(lines), "invalid_request");
  });

  test("a page of elsewhere that would be a client, by HTTP/1.0 without a Host", async () => {
    expectError(await send(["GET /ws HTTP/1.0", "Origin: http://x"]), "forbidden");
  });

  test.each([
    ["junk", ["hello"]],
    ["a negative length", ["POST /api/download HTTP/1.1", ...HEAD, "Content-Length: -5"]],
    [
      "two lengths",
      ["POST /api/download HTTP/1.1", ...HEAD, "Content-Length: 5", "Transfer-Encoding: chunked"],
    ],
    ["a head of 30 kB", ["GET /health HTTP/1.1", ...HEAD, `X: ${"y".repeat(30_000)}`]],
  ])("%s is refused before it is read", async (_, lines) => {
    const { status, body } = await send(lines);
    expect([400, 431]).toContain(status);
    expect(body).toBe("");
  });
});

test("HEAD has the headers of GET, and no body", async () => {
  for (const path of ["/openapi.json", "/api/clients", "/nowhere"]) {
    const [head, get] = [
      await send([`HEAD ${path} HTTP/1.1`, ...HEAD], "", true),
      await send([`GET ${path} HTTP/1.1`, ...HEAD], "", true),
    ];
    expect([head.status, head.body]).toEqual([get.status, ""]);
    for (const name of ["Content-Type", "Content-Length"]) {
      expect(head.headers.get(name)).toBe(get.headers.get(name));
    }
  }
});
