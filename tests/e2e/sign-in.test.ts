import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Session, SignInCode, Totals } from "../../lib/api/schemas.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { spawn } from "../support/spawn.ts";

setDefaultTimeout(TEST_LIMIT);

/* Signing in to a real server as a browser does, and what the session cookie permits. */

const SERVER = join(import.meta.dir, "../../server.ts");

let system: System;
beforeAll(async () => {
  system = await System.start();
});
afterAll(() => system?.[Symbol.asyncDispose]());

interface Call {
  method?: string;
  headers?: Record<string, string>;
  body?: object;
}

const call = (path: string, { method = "GET", headers, body }: Call = {}): Promise<Response> =>
  fetch(system.url + path, { method, headers, body: body && JSON.stringify(body) });

const own = () => ({ Origin: system.url });
const bearer = { Authorization: `Bearer ${API_TOKEN}` };

/** Signs in. @returns the cookie that a browser sends from then on */
async function signIn(body: object): Promise<{ Cookie: string }> {
  const response = await call("/api/session", { method: "POST", headers: own(), body });
  expect(response.status).toBe(200);
  expect(Session.parse(await response.json())).toMatchObject({ signed_in: true, required: true });
  return { Cookie: response.headers.get("Set-Cookie")!.split(";")[0]! };
}

async function expectRefused(response: Response, status: number, code: string): Promise<void> {
  expect(await response.json()).toEqual({ error: expect.any(String), code });
  expect(response.status).toBe(status);
  expect(response.headers.get("Set-Cookie")).toBeNull();
}

describe("a session", () => {
  test("is what the cookie says that the token gave", async () => {
    const nobody = await call("/api/session");
    expect(Session.parse(await nobody.json())).toEqual({
      signed_in: false,
      required: true,
      expires_at: null,
      ended: null,
      role: null,
    });
    const cookie = await signIn({ token: API_TOKEN });
    const known = await call("/api/session", { headers: cookie });
    expect(Session.parse(await known.json())).toMatchObject({ signed_in: true });
    expect((await call("/api/clients", { headers: cookie })).status).toBe(200);
  });

  test("changes things only from our own pages", async () => {
    const cookie = await signIn({ token: API_TOKEN });
    const path = "/api/downloads/no-such-download/cancel";
    for (const headers of [
      cookie,
      { ...cookie, Origin: "http://evil.example" },
      { ...cookie, Origin: "null" },
    ]) {
      await expectRefused(await call(path, { method: "POST", headers }), 403, "forbidden");
    }
    const ours = await call(path, { method: "POST", headers: { ...cookie, ...own() } });
    await expectRefused(ours, 404, "download_not_found");
  });

  test("outlives a restart of the server", async () => {
    const cookie = await signIn({ token: API_TOKEN });
    system.server.signal("SIGTERM");
    await system.restartServer();
    expect((await call("/api/clients", { headers: cookie })).status).toBe(200);
  });

  test("ends with the sign-out, for a copy of the cookie too", async () => {
    const headers = { ...(await signIn({ token: API_TOKEN })), ...own() };
    const response = await call("/api/session", { method: "DELETE", headers });
    expect(Session.parse(await response.json()).signed_in).toBe(false);
    expect(response.headers.get("Set-Cookie")).toContain("Max-Age=0");
    await expectRefused(await call("/api/clients", { headers }), 401, "unauthorized");
  });

  test("ends where the same token begins a thousand more, with the events that it reads", async () => {
    const { token } = await system.api.createToken({ name: "forgetful", role: "viewer" });
    const other = await signIn({ token: API_TOKEN });
    const first = await signIn({ token });
    const events = await call("/api/events", { headers: first });
    const second = await signIn({ token });
    for (let n = 0; n < 999; n++) await signIn({ token });
    await events.text();
    await expectRefused(await call("/api/clients", { headers: first }), 401, "unauthorized");
    for (const headers of [second, other]) {
      expect((await call("/api/clients", { headers })).status).toBe(200);
    }
  });

  test.each<[object, number, string]>([
    [{ token: "wrong" }, 401, "unauthorized"],
    [{ code: "wrong" }, 401, "unauthorized"],
    [{}, 400, "invalid_request"],
    [{ token: API_TOKEN, code: "x" }, 400, "invalid_request"],
    [{ token: API_TOKEN, remember: true }, 400, "invalid_request"],
  ])("does not begin with %j", async (body, status, code) => {
    const refused = await call("/api/session", { method: "POST", headers: own(), body });
    await expectRefused(refused, status, code);
  });

  test("is not begun by another site's page", async () => {
    const headers = { Origin: "http://evil.example" };
    const body = { token: API_TOKEN };
    const refused = await call("/api/session", { method: "POST", headers, body });
    await expectRefused(refused, 403, "forbidden");
  });
});

describe("the code of a link", () => {
  test("is made for who shows the token, and good once", async () => {
    await expectRefused(await call("/api/session/code", { method: "POST" }), 401, "unauthorized");
    const response = await call("/api/session/code", { method: "POST", headers: bearer });
    const { code } = SignInCode.parse(await response.json());
    await signIn({ code });
    const again = await call("/api/session", { method: "POST", headers: own(), body: { code } });
    await expectRefused(again, 401, "unauthorized");
  });

  test.skipIf(process.platform === "win32")("is shown to a person on a terminal", async () => {
    let shown = "";
    const env = { API_TOKEN, LOG_FORMAT: "pretty" };
    const child = spawn(
      [process.execPath, "--no-env-file", "--no-orphans", SERVER, "--port", "0"],
      {
        cwd: join(system.folder, "root"),
        env,
        terminal: { data: (_, bytes) => (shown += new TextDecoder().decode(bytes)) },
      },
    );
    try {
      const [, url, code] = await waitFor(
        () => /dashboard: (http:\S+)\/#code=([\w-]+)/.exec(shown),
        "the link",
      );
      const response = await fetch(`${url}/api/session`, {
        method: "POST",
        body: JSON.stringify({ code }),
      });
      expect(response.status).toBe(200);
      expect(shown).not.toContain(API_TOKEN);
    } finally {
      child.kill("SIGKILL");
      await child.exited;
    }
  });
});

test("the totals count what was asked for since a time", async () => {
  const before = new Date(Date.now() - 60_000).toISOString();
  const totals = async (since: string) => {
    const response = await call(`/api/totals?since=${since}`, { headers: bearer });
    return Totals.parse(await response.json());
  };
  const none = { queued: 0, downloading: 0, verifying: 0, completed: 0, failed: 0, cancelled: 0 };
  expect(await totals(before)).toEqual({ downloads: none, bytes_received: 0, open_failures: 0 });
  await Bun.write(system.source("counted.bin"), "twelve bytes");
  await using _ = await system.startClient();
  await system.ended(await system.pull("counted.bin"));
  await system.ended(await system.pull("missing.bin"));
  expect(await totals(before)).toEqual({
    downloads: { ...none, completed: 1, failed: 1 },
    bytes_received: 12,
    open_failures: 1,
  });
  const later = new Date(Date.now() + 60_000).toISOString();
  expect(await totals(later)).toEqual({ downloads: none, bytes_received: 0, open_failures: 1 });
  await expectRefused(
    await call("/api/totals?since=yesterday", { headers: bearer }),
    400,
    "invalid_request",
  );
});
