import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, openssl } from "../support/certificates.ts";
import { type RawAnswer, sendRaw } from "../support/raw-http.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import { writeRandom } from "../support/sources.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* The security headers of every response, and that no response is a page that contains a caller's text. */

const MARKUP = `<script src=//evil.example></script><img src=x onerror=alert(1)>`;

let system: System;
let downloadId: string;

beforeAll(async () => {
  system = await System.start();
  await writeRandom(system.source("a.bin"), 1000);
  await system.startClient();
  downloadId = (await system.ended(await system.pull("a.bin"))).download_id;
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
});

interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Sends a request written by hand, because HTTP libraries would escape a path with a tag in it. */
function ask(path: string, { method = "GET", headers = {}, body = "" }: Ask = {}) {
  const fields = {
    Host: "localhost",
    Connection: "close",
    Authorization: `Bearer ${API_TOKEN}`,
    ...(body !== "" && { "Content-Length": String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return sendRaw(
    system.port,
    `${method} ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${body}`,
    true,
  );
}

function expectGuarded({ headers }: RawAnswer): void {
  expect(Object.fromEntries(headers)).toMatchObject({
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": expect.stringMatching(
      /^default-src 'none'; .*frame-ancestors 'none'/,
    ),
  });
  expect(headers.get("Strict-Transport-Security")).toBeNull();
}

describe("every answer says what a browser may do with it", () => {
  const content = () => `/api/downloads/${downloadId}/content`;
  test.each<[number, string, () => string, Ask, RegExp]>([
    [200, "health", () => "/health", {}, /^no-store$/],
    [200, "metrics", () => "/metrics", {}, /^no-store$/],
    [200, "clients", () => "/api/clients", {}, /^no-store$/],
    [200, "the document", () => "/openapi.json", {}, /^no-store$/],
    [200, "events", () => "/api/events", {}, /^no-cache/],
    [200, "the page", () => "/", {}, /^no-cache$/],
    [200, "a file", content, {}, /^private, no-cache$/],
    [206, "a part of one", content, { headers: { Range: "bytes=0-4" } }, /^private, no-cache$/],
    [304, "a file that is known", content, { headers: { "If-None-Match": "*" } }, /^private/],
    [416, "no part of it", content, { headers: { Range: "bytes=5000-" } }, /^private/],
    [400, "a bad request", () => "/api/downloads?limit=x", {}, /^no-store$/],
    [400, "no WebSocket", () => "/ws", {}, /^no-store$/],
    [401, "a stranger", () => "/api/clients", { headers: { Authorization: "" } }, /^no-store$/],
    [403, "another's page", () => "/ws", { headers: { Origin: "http://e.vil" } }, /^no-store$/],
    [404, "nothing", () => "/nothing", {}, /^no-store$/],
    [405, "another method", () => "/api/clients", { method: "PUT" }, /^no-store$/],
    [
      413,
      "a large body",
      () => "/api/tokens",
      { method: "POST", body: "x".repeat(70_000) },
      /^no-store$/,
    ],
  ])("%d: %s", async (status, _, path, options, caching) => {
    const answer = await ask(path(), options);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("Cache-Control")).toMatch(caching);
    expectGuarded(answer);
  });
});

describe("a caller's words are never part of a page", () => {
  test.each<[string, () => Promise<RawAnswer>]>([
    ["a path", () => ask(`/${encodeURI(MARKUP)}`)],
    ["a path as it is", () => ask(`/${MARKUP.replaceAll(" ", "/")}`)],
    ["an id", () => ask(`/api/downloads/${encodeURIComponent(MARKUP)}`)],
    ["a field of the query", () => ask(`/api/downloads?${encodeURIComponent(MARKUP)}=1`)],
    ["a value of the query", () => ask(`/api/downloads?status=${encodeURIComponent(MARKUP)}`)],
    ["a token", () => ask("/api/clients", { headers: { Authorization: MARKUP } })],
    ["a Host", () => ask("/api/nothing", { headers: { Host: MARKUP } })],
    ["an Origin", () => ask("/ws", { headers: { Origin: MARKUP } })],
    [
      "a field of a body",
      () => ask("/api/download", { method: "POST", body: JSON.stringify({ [MARKUP]: 1 }) }),
    ],
    [
      "an id in a body",
      () => ask("/api/download", { method: "POST", body: JSON.stringify({ client_id: MARKUP }) }),
    ],
  ])("%s", async (_, send) => {
    const { headers, status } = await send();
    expect(status).toBeGreaterThanOrEqual(400);
    expect(headers.get("Content-Type")).toBe("application/json");
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
  });

  test("the page is the same whatever is asked of it", async () => {
    const { body, headers } = await ask("/");
    expect(headers.get("Content-Type")).toStartWith("text/html");
    expect((await ask(`/?${encodeURI(MARKUP)}`)).body).toBe(body);
    const client = { client_id: "site-2", enroll_token: ENROLL_TOKEN, hostname: MARKUP };
    await using _ = await ScriptedClient.register(system.url, client);
    await system.pull(MARKUP, "site-2");
    expect((await ask("/")).body).toBe(body);
    expect((await ask("/api/clients")).headers.get("Content-Type")).toBe("application/json");
  });

  test("a file of HTML is a file to be saved", async () => {
    await Bun.write(system.source("page.html"), MARKUP);
    const { download_id } = await system.ended(await system.pull("page.html"));
    const { headers, body } = await ask(`/api/downloads/${download_id}/content`);
    expect(body).toBe(MARKUP);
    expect(headers.get("Content-Type")).toBe("application/octet-stream");
    expect(headers.get("Content-Disposition")).toMatch(/^attachment; /);
  });
});

test.skipIf(!openssl.isThere)(
  `with TLS, a browser comes with TLS alone from then on${openssl.isThere ? "" : ` (${openssl.hint})`}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fds-hsts-"));
    const authority = await Authority.make(folder, "authority");
    const { cert, key } = await authority.sign("server", "serverAuth");
    await using secure = await System.start(
      { TLS_CERT: cert, TLS_KEY: key },
      { tls: { ca: authority.cert } },
    );
    for (const path of ["/", "/health", "/nothing", "/ws"]) {
      const tls = { ca: Bun.file(authority.cert) };
      const { headers } = await fetch(`${secure.url}${path}`, { tls });
      expect(headers.get("Strict-Transport-Security")).toBe("max-age=31536000");
    }
    await rm(folder, { recursive: true });
  },
);
