import { beforeEach, describe, expect, test } from "bun:test";
import { Hono } from "hono";
import * as z from "zod";
import type { Endpoint } from "../../../lib/api/endpoints/endpoint.ts";
import { FdsError } from "../../../lib/protocol/errors.ts";
import type { AuditEntry } from "../../../lib/server/audit/entry.ts";
import { LOCAL_ADMIN } from "../../../lib/server/access/caller.ts";
import { Guesses } from "../../../lib/server/http/guesses.ts";
import { OpenCalls } from "../../../lib/server/access/open-calls.ts";
import { LongAnswers } from "../../../lib/server/http/long-answers.ts";
import { callsWith } from "../../../lib/server/http/call.ts";
import { authentication, type AuthenticationOptions } from "../../../lib/server/http/callers.ts";
import {
  errorAnswers,
  type ErrorAnswersOptions,
  nothingHere,
} from "../../../lib/server/http/errors.ts";
import type { RestEnv } from "../../../lib/server/http/rest-env.ts";
import { operator, viewer } from "../../../lib/server/http/role-guards.ts";
import { refuseOtherMethods } from "../../../lib/server/http/routing.ts";
import { FairTurns } from "../../../lib/util/fair-turns.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { RateLimiter } from "../../../lib/util/rate-limiter.ts";

const common = { summary: "", role: "operator" as const, answers: [], errors: [] };
const read = { ...common, method: "GET", path: "/api/things/:id" } as const satisfies Endpoint;
const make = {
  ...common,
  method: "POST",
  path: "/api/things",
  body: z.strictObject({ name: z.string(), size: z.int().min(0).default(7) }),
} as const satisfies Endpoint;
const find = {
  ...common,
  method: "GET",
  path: "/api/things",
  query: z.strictObject({ name: z.string().optional() }),
} as const satisfies Endpoint;

const follow = {
  ...common,
  method: "GET",
  path: "/api/changes",
  role: "viewer",
  hasLongAnswer: true,
} as const satisfies Endpoint;

/** The tokens besides the one of the settings: a viewer's token, until a test revokes it. */
const tokens = {
  revoked: false,
  callerOf: async (secret: string) => {
    if (secret !== "of-a-viewer" || tokens.revoked)
      throw new FdsError("unauthorized", "The API token is wrong");
    return { ...LOCAL_ADMIN, name: "till", role: "viewer" as const };
  },
};

let log: string[];
let audited: AuditEntry[];
/** The error that the handler of `read` throws; undefined: none. */
let failure: unknown;
let app: Hono<RestEnv>;

beforeEach(() => {
  log = [];
  audited = [];
  tokens.revoked = false;
  const audit = { record: (entry: AuditEntry) => void audited.push(entry) };
  failure = undefined;
  const logger = new Logger({ level: "debug", format: "json", write: (line) => log.push(line) });
  const longAnswers = new LongAnswers({
    turns: new FairTurns(),
    openCalls: new OpenCalls(),
    logger,
  });
  const access = { apiToken: "the-token", tokens, guesses: new Guesses(), signIn: null };
  const callOf = callsWith({ access, longAnswers, audit });
  app = newApp({ access, requests: new RateLimiter({ burst: 1000, everyMs: 1 }), audit, logger });
  const things = callOf(read, (c) => {
    if (failure !== undefined) throw failure;
    return Response.json({ id: c.req.param("id") });
  });
  const changes = callOf(follow, () => {
    tokens.revoked = true;
    return new Response(new ReadableStream({ cancel: () => void log.push("cancelled") }));
  });
  app.get(read.path, operator, ...things);
  app.post(
    make.path,
    operator,
    ...callOf(make, (c) => Response.json(c.req.valid("json"), { status: 202 })),
  );
  app.get(find.path, operator, ...callOf(find, (c) => Response.json(c.req.valid("query"))));
  app.get(follow.path, viewer, ...changes);
  refuseOtherMethods(app);
});

function newApp(options: AuthenticationOptions & ErrorAnswersOptions): Hono<RestEnv> {
  const made = new Hono<RestEnv>();
  made.use(authentication(options));
  made.notFound(nothingHere);
  made.onError(errorAnswers(options));
  return made;
}

async function call(path: string, init: RequestInit = {}): Promise<[number, unknown]> {
  const headers = new Headers({ Authorization: "Bearer the-token" });
  for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
  const response = await app.fetch(new Request(`http://server${path}`, { ...init, headers }), {
    address: "::1",
  });
  return [response.status, await response.json()];
}

const post = (body: string, headers = {}) => call("/api/things", { method: "POST", body, headers });

describe("a request that is right", () => {
  test("reaches its handler, checked and with defaults", async () => {
    expect(await post('{"name":"a"}')).toEqual([202, { name: "a", size: 7 }]);
    expect(await call("/api/things?name=b")).toEqual([200, { name: "b" }]);
    expect(await call("/api/things/%D1%8F%2F..")).toEqual([200, { id: "я/.." }]);
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"])(
    "is read as JSON, also when it is called %s",
    async (type) => {
      expect(await post('{"name":"a"}', { "Content-Type": type })).toEqual([
        202,
        { name: "a", size: 7 },
      ]);
    },
  );
});

describe("a bug", () => {
  test.each([
    ["an error", new TypeError("secret path /var/lib/fds")],
    ["an error of ours that is not for outside", new FdsError("internal_error", "secret")],
    ["an error with a cause", new Error("secret", { cause: new Error("/etc/passwd") })],
  ])("is answered without a word of it, and kept in the log: %s", async (_, error) => {
    failure = error;
    expect(await call("/api/things/1")).toEqual([
      500,
      { error: "The server failed, its log says why", code: "internal_error" },
    ]);
    expect(JSON.parse(log.join(""))).toMatchObject({
      level: "error",
      path: "/api/things/1",
      stack: expect.stringContaining("secret"),
    });
  });

  test("is no error that has a code of its own", async () => {
    failure = new FdsError("storage_full", "The disk is full");
    expect(await call("/api/things/1")).toEqual([
      507,
      { error: "The disk is full", code: "storage_full" },
    ]);
    expect(log).toEqual([]);
  });
});

test("a caller that hangs up in the middle of its body is no fault in the log", async () => {
  const gone = new DOMException("The connection was closed.", "AbortError");
  const body = new ReadableStream({ pull: (controller) => controller.error(gone) });
  const [status] = await call("/api/things", { method: "POST", body });
  expect([status, log]).toEqual([400, []]);
});

test("an answer that goes on does not begin for a token that was revoked meanwhile", async () => {
  const headers = { Authorization: "Bearer of-a-viewer" };
  expect(await call("/api/changes", { headers })).toMatchObject([401, { code: "unauthorized" }]);
  expect(log).toEqual(["cancelled"]);
});

test("a token that is called as an address is takes nothing of what that address may ask", async () => {
  const named = { callerOf: async () => ({ ...LOCAL_ADMIN, name: "192.0.2.1" }) };
  const access = { apiToken: "the-token", tokens: named, guesses: new Guesses(), signIn: null };
  const once = new RateLimiter({ burst: 1, everyMs: 60_000 });
  const audit = { record: () => {} };
  const logger = new Logger({ level: "debug", format: "json", write: () => {} });
  const longAnswers = new LongAnswers({
    turns: new FairTurns(),
    openCalls: new OpenCalls(),
    logger,
  });
  const limited = newApp({ access, requests: once, audit, logger });
  const callOf = callsWith({ access, longAnswers, audit });
  limited.get(find.path, operator, ...callOf(find, () => new Response()));
  refuseOtherMethods(limited);
  const ask = async (path: string, headers = {}) => {
    const request = new Request(`http://server${path}`, { headers });
    return (await limited.fetch(request, { address: "192.0.2.1" })).status;
  };
  const headers = { Authorization: "Bearer of-192.0.2.1" };
  expect(await ask("/api/things", headers)).toBe(200);
  expect(await ask("/api/things", headers)).toBe(429);
  expect(await ask("/nothing")).toBe(404);
  expect(await ask("/nothing")).toBe(429);
});

describe("what is refused", () => {
  test.each([
    ["", "The body is not JSON"],
    ["{", "The body is not JSON"],
    ["null", "The body is not right: "],
    ["[]", "The body is not right: "],
    ["{}", '"name": '],
    ['{"name":5}', '"name": '],
    ['{"name":"a","size":-1}', '"size": '],
    ['{"name":"a","size":1e999}', '"size": '],
    ['{"name":"a","bogus":1}', 'Unknown field "bogus"'],
    ['{"name":"a","b":1,"c":2}', 'Unknown fields "b", "c"'],
    ['{"name":"a","b\\n\\"c":1}', 'Unknown field "b\\n\\"c"'],
    [`{"name":"a","${"b".repeat(65)}":1}`, `Unknown field "${"b".repeat(64)}…"`],
    [
      JSON.stringify({ name: "a", ...Array(9).fill(1) }),
      'Unknown fields "0", "1", "2", "3", "4", "5", "6", "7" and others',
    ],
    ['{"name":"a","__proto__":{"size":1}}', 'Unknown field "__proto__"'],
  ])("%p: %s", async (body, message) => {
    expect(await post(body)).toEqual([
      400,
      { error: expect.stringContaining(message), code: "invalid_request" },
    ]);
  });

  test.each([
    ["/api/things?bogus=1", 'Unknown field "bogus"'],
    // A call that takes no query parameters.
    ["/api/things/1?name=a", 'Unknown field "name"'],
    ["/api/things?name=a&name=b", '"name": '],
  ])("the query of %s: %s", async (path, message) => {
    expect(await call(path)).toEqual([
      400,
      { error: expect.stringContaining(message), code: "invalid_request" },
    ]);
  });

  test("a query on a call that takes only a body", async () => {
    const init = { method: "POST", body: '{"name":"a"}' };
    expect((await call("/api/things?size=1", init))[0]).toBe(400);
  });

  test("comes before a look at the body when there is no token", async () => {
    expect(await post("{", { Authorization: "Bearer wrong" })).toEqual([
      401,
      { error: "The API token is wrong", code: "unauthorized" },
    ]);
  });

  test("is in the audit, by the path of the call and not as it was written", async () => {
    await call("/api/things/1?secret=2", { headers: { Authorization: "Bearer of-a-viewer" } });
    await call("/api/nothing/here", { headers: { Authorization: "Bearer wrong" } });
    const denied = { action: "denied", address: "::1", clientId: null };
    expect(audited).toEqual([
      { ...denied, actor: "till", target: "GET /api/things/:id", outcome: "forbidden" },
      { ...denied, actor: null, target: "GET /*", outcome: "unauthorized" },
    ] as AuditEntry[]);
  });

  test("comes before a look at the body when the role is too low", async () => {
    expect(await post("{", { Authorization: "Bearer of-a-viewer" })).toEqual([
      403,
      { error: 'Use a token of the role "operator" for this', code: "forbidden" },
    ]);
  });
});
