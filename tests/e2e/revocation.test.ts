import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { endpoints } from "../../lib/api/endpoints.ts";
import type { Endpoint } from "../../lib/api/endpoints/endpoint.ts";
import type { JobAccepted, JobList, JobRecord } from "../../lib/api/jobs.ts";
import type { WebhookList, WebhookRecord } from "../../lib/api/webhooks.ts";
import type { ScheduleList } from "../../lib/api/schedules.ts";
import { ON_S3 } from "../support/backend.ts";
import { sendLastByteLate } from "../support/raw-http.ts";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { SlowReader } from "../support/slow-reader.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Whoever loses access loses it at once, also in the middle of a request. */

const MiB = 1024 * 1024;
/** Size of a file, in bytes, that exceeds all kernel buffers between the server and the caller. */
const SIZE = 64 * MiB;

let system: System;
/** The ids of a completed and a queued download, and of a running and a cancelled job. */
const ids = { completed: "", queued: "", running: "", cancelled: "" };
let names = 0;

beforeAll(async () => {
  system = await System.start();
  await Bun.write(system.source("large.bin"), new Uint8Array(SIZE));
  const client = await system.startClient();
  ids.completed = await system.pull("large.bin");
  expect((await system.ended(ids.completed)).status).toBe("completed");
  client.signal("SIGTERM");
  await client.ended();
  ids.queued = await system.pull("large.bin");
  await asAdmin("POST", "/api/schedules", { ...NIGHTLY, name: "nightly" });
  const order = { clients: { all: true }, download: { file_path: "large.bin" } };
  const newJob = async () => (await asAdmin<JobAccepted>("POST", "/api/jobs", order)).job_id;
  ids.running = await newJob();
  ids.cancelled = await newJob();
  await asAdmin<JobRecord>("POST", `/api/jobs/${ids.cancelled}/cancel`);
  const webhook = { name: "theirs", url: "https://8.8.8.8/", events: ["storage.low"] };
  await asAdmin<WebhookRecord>("POST", "/api/webhooks", webhook);
});
afterAll(() => system?.[Symbol.asyncDispose]());

/** A credential, and the function that revokes it. */
interface Right {
  headers: Record<string, string>;
  end: () => Promise<void>;
}

const call = (path: string, init: RequestInit = {}) => fetch(system.url + path, init);

/** Calls with the API_TOKEN, which cannot be revoked. @returns the parsed body */
async function asAdmin<T>(method: string, path: string, body?: object): Promise<T> {
  const headers = { Authorization: `Bearer ${API_TOKEN}` };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  const answer = await call(path, init);
  expect(answer.ok, `${method} ${path}`).toBe(true);
  return (await answer.json()) as T;
}

const job = (id: string) => asAdmin<JobRecord>("GET", `/api/jobs/${id}`);

const contentPath = () => `/api/downloads/${ids.completed}/content`;

async function isRefused({ headers }: Right): Promise<boolean> {
  return (await call("/api/clients", { headers })).status === 401;
}

async function token(expires_in_seconds: number | null = null) {
  const name = `right-${names++}`;
  const made = await system.api.createToken({ name, role: "admin", expires_in_seconds });
  return { name, secret: made.token, headers: { Authorization: `Bearer ${made.token}` } };
}

async function session(secret: string): Promise<Record<string, string>> {
  const body = JSON.stringify({ token: secret });
  const answer = await call("/api/session", { method: "POST", body });
  return { Cookie: answer.headers.get("Set-Cookie")!.split(";")[0]!, Origin: system.url };
}

const RIGHTS: Record<string, () => Promise<Right>> = {
  "a token that is revoked": async () => {
    const { name, headers } = await token();
    return { headers, end: async () => void (await system.api.revokeToken(name)) };
  },
  "a token that expires": async () => {
    const { headers } = await token(3);
    const right: Right = {
      headers,
      end: async () => void (await waitFor(() => isRefused(right), "the token to expire")),
    };
    return right;
  },
  "a session that is signed out": async () => {
    const headers = await session(API_TOKEN);
    return {
      headers,
      end: async () => void (await call("/api/session", { method: "DELETE", headers })),
    };
  },
  "a session whose token is revoked": async () => {
    const { name, secret } = await token();
    const headers = await session(secret);
    return { headers, end: async () => void (await system.api.revokeToken(name)) };
  },
};

const NIGHTLY = {
  cron: "0 3 * * *",
  job: { clients: { all: true }, download: { file_path: "large.bin" } },
};
const schedules = async () => {
  const { schedules: all } = await asAdmin<ScheduleList>("GET", "/api/schedules");
  return new Map(all.map((one) => [one.name, one]));
};

/** For each call with a body, a request, and a check of whether its effect has happened. */
const ACTS: Record<string, { path: string; body: object; done: () => Promise<boolean> }> = {
  startDownload: {
    path: endpoints.startDownload.path,
    body: { client_id: "site-1", file_path: "stolen.bin" },
    done: async () =>
      (await system.api.downloads()).downloads.some(({ file_path }) => file_path === "stolen.bin"),
  },
  changeDownload: {
    get path() {
      return `/api/downloads/${ids.queued}`;
    },
    body: { rate_limit: 4711 },
    done: async () => (await system.api.download(ids.queued)).rate_limit === 4711,
  },
  changeClient: {
    path: "/api/clients/site-1",
    body: { labels: { stolen: "yes" } },
    done: async () => (await system.api.clients()).some(({ labels }) => "stolen" in labels),
  },
  createSchedule: {
    path: endpoints.createSchedule.path,
    body: { ...NIGHTLY, name: "stolen" },
    done: async () => (await schedules()).has("stolen"),
  },
  changeSchedule: {
    path: "/api/schedules/nightly",
    body: { catch_up: "47m" },
    done: async () => (await schedules()).get("nightly")?.catch_up === "47m",
  },
  runSchedule: {
    path: "/api/schedules/nightly/run",
    body: {},
    done: async () => (await schedules()).get("nightly")?.latest !== null,
  },
  createJob: {
    path: endpoints.createJob.path,
    body: { name: "stolen", clients: { all: true }, download: { file_path: "stolen.bin" } },
    done: async () => {
      const { jobs } = await asAdmin<JobList>("GET", "/api/jobs");
      return jobs.some(({ name }) => name === "stolen");
    },
  },
  changeJob: {
    get path() {
      return `/api/jobs/${ids.running}`;
    },
    body: { max_concurrent: 4711 },
    done: async () => (await job(ids.running)).max_concurrent === 4711,
  },
  rerunJob: {
    get path() {
      return `/api/jobs/${ids.cancelled}/rerun`;
    },
    body: { statuses: ["cancelled"] },
    done: async () => (await job(ids.cancelled)).status !== "cancelled",
  },
  createEnrolmentKey: {
    path: endpoints.createEnrolmentKey.path,
    body: { name: "stolen", ids: "*" },
    done: async () => (await system.api.enrolmentKeys()).some(({ name }) => name === "stolen"),
  },
  createWebhook: {
    path: endpoints.createWebhook.path,
    body: { name: "stolen", url: "https://8.8.8.8/", events: ["job.failed"] },
    done: async () => {
      const { webhooks } = await asAdmin<WebhookList>("GET", "/api/webhooks");
      return webhooks.some(({ name }) => name === "stolen");
    },
  },
  changeWebhook: {
    path: "/api/webhooks/theirs",
    body: { disabled: true },
    done: async () => {
      const { status } = await asAdmin<WebhookRecord>("GET", "/api/webhooks/theirs");
      return status === "disabled";
    },
  },
  previewTimes: {
    path: endpoints.previewTimes.path,
    body: { cron: NIGHTLY.cron },
    // The call has no effect to look for. The refused request is the whole test.
    done: async () => false,
  },
  createToken: {
    path: endpoints.createToken.path,
    body: { name: "stolen", role: "admin" },
    done: async () => (await system.api.tokens()).some(({ name }) => name === "stolen"),
  },
};

test("every call with a body is tried", () => {
  const withBody = Object.entries<Endpoint>(endpoints)
    .filter(([, { body, role }]) => body && role !== "anyone")
    .map(([name]) => name);
  expect(Object.keys(ACTS).toSorted()).toEqual(withBody.toSorted());
});

/** Expects that a request whose last byte arrives after the revocation has no effect. */
async function expectNothingDone(make: () => Promise<Right>): Promise<void> {
  const tries = Object.entries(ACTS).map(async ([name, { path, body, done }]) => {
    const { headers, end } = await make();
    const { method } = endpoints[name as keyof typeof endpoints];
    const lines = Object.entries(headers).map((line) => line.join(": "));
    const head = [`${method} ${path} HTTP/1.1`, ...lines];
    const answer = await sendLastByteLate(system.port, head, JSON.stringify(body), end);
    expect(answer).toMatchObject({
      status: 401,
      body: expect.stringContaining('"code":"unauthorized"'),
    });
    expect(await done(), name).toBe(false);
  });
  await Promise.all(tries);
}

/** Expects that content that is being sent is cut off, so that nobody takes it for the whole file. */
async function expectContentCut(make: () => Promise<Right>): Promise<void> {
  const { headers, end } = await make();
  const reader = await SlowReader.begin(system.port, contentPath(), headers);
  await end();
  const bytes = await reader.rest();
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(SIZE);
}

async function expectEventsEnded(make: () => Promise<Right>): Promise<void> {
  const { headers, end } = await make();
  const response = await call("/api/events", { headers });
  const reader = response.body!.getReader();
  await reader.read();
  await end();
  while (!(await reader.read()).done);
}

/** Expects that a listing that the site answers after the revocation is not shown. */
async function expectListingRefused(make: () => Promise<Right>): Promise<void> {
  const { headers, end } = await make();
  const client_id = `slow-${names++}`;
  const fields = { client_id, enroll_token: ENROLL_TOKEN, features: ["list"] };
  await using client = await ScriptedClient.register(system.url, { ...REGISTER, ...fields });
  const answer = call(`/api/clients/${client_id}/files`, { headers });
  const { stream, epoch } = await client.next("list_request");
  await end();
  const said = { total_size: 0, more: false, truncated: false };
  client.send({ type: "list_complete", stream, epoch, ...said });
  expect((await answer).status).toBe(401);
}

test.each(Object.entries(RIGHTS))("%s ends all that is under way", async (_, make) => {
  const all = [expectNothingDone, expectContentCut, expectEventsEnded, expectListingRefused];
  await Promise.all(all.map((expectation) => expectation(make)));
});

describe("content", () => {
  test("is whole for who keeps the right", async () => {
    const { headers } = await token();
    const answer = await call(contentPath(), { headers: { ...headers, Range: "bytes=10-" } });
    expect(answer.status).toBe(206);
    expect((await answer.bytes()).length).toBe(SIZE - 10);
    const head = await call(contentPath(), { method: "HEAD", headers });
    expect(head.headers.get("Content-Length")).toBe(String(SIZE));
  });

  test.skipIf(ON_S3 !== "")(
    `has its length in front for the API_TOKEN, whose right cannot end${ON_S3}`,
    async () => {
      const answer = await call(contentPath(), {
        headers: { Authorization: `Bearer ${API_TOKEN}` },
      });
      expect(answer.headers.get("Content-Length")).toBe(String(SIZE));
      expect(answer.headers.get("X-Accel-Buffering")).toBe("no");
      await answer.body?.cancel();
    },
  );
});
