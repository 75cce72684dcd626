import { afterAll, beforeAll, expect } from "bun:test";
import { endpoints } from "../../lib/api/endpoints.ts";
import type { Endpoint } from "../../lib/api/endpoints/endpoint.ts";
import { type Role, ROLES } from "../../lib/api/roles.ts";
import { ScriptedClient } from "./scripted-client.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "./system.ts";
import { waitFor } from "./wait.ts";

export type Name = keyof typeof endpoints;

/** A repeatable sample call of an endpoint, with the expected status for each kind of caller. */
export interface Sample {
  /** Returns the value for the parameter in the URL's path, such as an id. */
  of?: () => string;
  query?: string;
  body?: () => object;
  /** The status for a caller whose role and sites allow this call. */
  allowed: number;
  /** The status for a caller with the right role whose token is limited to another site. */
  elsewhere?: number;
  /**
   * The status for a caller with the right role whose token is limited to certain sites, whichever they are.
   */
  limited?: number;
}

export const NOWHERE = "no-such-thing";
/** Id of a completed download of client "site-1", made by {@link useAccess}. */
export let completed = "";
let names = 0;

export const SAMPLES: Record<Name, Sample> = {
  health: { allowed: 200 },
  live: { allowed: 200 },
  metrics: { allowed: 200, limited: 403 },
  openapi: { allowed: 200 },
  getSession: { allowed: 200 },
  signIn: { allowed: 200, body: () => ({ token: API_TOKEN }) },
  signOut: { allowed: 200 },
  createSignInCode: { allowed: 200 },
  totals: { allowed: 200, query: "since=2020-01-01T00:00:00Z" },
  listClients: { allowed: 200 },
  // The call gets 409, because client "site-1" is not connected.
  listClientFiles: { allowed: 409, elsewhere: 404, of: () => "site-1" },
  startDownload: {
    // The call gets 409, because client "site-1" is not connected.
    allowed: 409,
    elsewhere: 404,
    body: () => ({ client_id: "site-1", if_offline: "fail" }),
  },
  listDownloads: { allowed: 200, query: "client_id=site-1" },
  getDownload: { allowed: 200, elsewhere: 404, of: () => completed },
  listSetFiles: { allowed: 200, elsewhere: 404, of: () => completed },
  downloadContent: { allowed: 200, elsewhere: 404, of: () => completed },
  downloadEvents: { allowed: 200, elsewhere: 404, of: () => completed },
  events: { allowed: 200 },
  removeContent: { allowed: 404, of: () => NOWHERE },
  // The call gets 409, because the download is already completed.
  changeDownload: {
    allowed: 409,
    elsewhere: 404,
    of: () => completed,
    body: () => ({ rate_limit: null }),
  },
  cancelDownload: { allowed: 409, elsewhere: 404, of: () => completed },
  retryDownload: { allowed: 409, elsewhere: 404, of: () => completed },
  changeClient: { allowed: 404, of: () => NOWHERE, body: () => ({ labels: {} }) },
  revokeClient: { allowed: 404, of: () => NOWHERE },
  // The call gets 400, because no client matches these labels.
  createJob: {
    allowed: 400,
    body: () => ({ clients: { labels: "no=such" }, download: {} }),
  },
  listJobs: { allowed: 200 },
  getJob: { allowed: 404, of: () => NOWHERE },
  changeJob: { allowed: 404, of: () => NOWHERE, body: () => ({ max_concurrent: 1 }) },
  cancelJob: { allowed: 404, of: () => NOWHERE },
  pauseJob: { allowed: 404, of: () => NOWHERE },
  resumeJob: { allowed: 404, of: () => NOWHERE },
  rerunJob: { allowed: 404, of: () => NOWHERE },
  // The call gets 400, because a job selects clients by `all` or by `labels`, not by both.
  createSchedule: {
    allowed: 400,
    body: () => ({
      name: "nightly",
      cron: "0 3 * * *",
      job: { clients: { all: true, labels: "a" }, download: {} },
    }),
  },
  listSchedules: { allowed: 200 },
  getSchedule: { allowed: 404, of: () => NOWHERE },
  changeSchedule: { allowed: 404, of: () => NOWHERE, body: () => ({ paused: true }) },
  deleteSchedule: { allowed: 404, of: () => NOWHERE },
  previewSchedule: { allowed: 404, of: () => NOWHERE },
  previewTimes: { allowed: 200, body: () => ({ cron: "@daily" }) },
  runSchedule: { allowed: 404, of: () => NOWHERE },
  listDeliveries: { allowed: 404, of: () => NOWHERE },
  showBoard: { allowed: 404, of: () => NOWHERE },
  listEnrolmentKeys: { allowed: 200 },
  createEnrolmentKey: { allowed: 201, body: () => ({ name: `made-${names++}`, ids: "kiosk-*" }) },
  revokeEnrolmentKey: { allowed: 404, of: () => NOWHERE },
  audit: { allowed: 200 },
  listTokens: { allowed: 200 },
  createToken: { allowed: 201, body: () => ({ name: `made-${names++}`, role: "viewer" }) },
  revokeToken: { allowed: 404, of: () => NOWHERE },
  listWebhooks: { allowed: 200 },
  createWebhook: {
    allowed: 201,
    body: () => ({ name: `made-${names++}`, url: "https://8.8.8.8/", events: ["job.failed"] }),
  },
  getWebhook: { allowed: 404, of: () => NOWHERE },
  changeWebhook: { allowed: 404, of: () => NOWHERE, body: () => ({ disabled: true }) },
  deleteWebhook: { allowed: 404, of: () => NOWHERE },
  testWebhook: { allowed: 404, of: () => NOWHERE },
  rotateWebhookSecret: { allowed: 404, of: () => NOWHERE },
  listWebhookAttempts: { allowed: 404, of: () => NOWHERE },
  replayWebhookAttempt: { allowed: 404, of: () => NOWHERE },
};

export let system: System;
const secrets = new Map<string, string>();
const cookies = new Map<string, string>();

/**
 * Returns the headers that authenticate a request by a bearer token or a session cookie, found by its name.
 */
export const bearer = (name: string) => ({ Authorization: `Bearer ${secrets.get(name)}` });
export const cookie = (name: string) => ({ Cookie: cookies.get(name)!, Origin: system.url });

/** Creates an API token and stores its secret under `name`, for {@link bearer}. */
export async function makeToken(
  name: string,
  role: Role,
  sites: string[] | null = null,
  expires_in_seconds: number | null = null,
): Promise<void> {
  const { token } = await system.api.createToken({ name, role, sites, expires_in_seconds });
  secrets.set(name, token);
}

/** Signs in with a token and stores the session's cookie under `name`, for {@link cookie}. */
export async function signIn(name: string, token: string): Promise<void> {
  const response = await fetch(`${system.url}/api/session`, {
    method: "POST",
    body: JSON.stringify({ token }),
  });
  expect(response.status).toBe(200);
  cookies.set(name, response.headers.get("Set-Cookie")!.split(";")[0]!);
}

/** Calls an endpoint with the path, query and body of its sample. */
export function call(
  { method, path }: Endpoint,
  { of, query, body }: Partial<Sample>,
  headers: Record<string, string>,
): Promise<Response> {
  const url = `${system.url}${path.replace(/:\w+/, of?.() ?? "")}${query ? `?${query}` : ""}`;
  return fetch(url, { method, headers, body: body && JSON.stringify(body()) });
}

/** Before a file's tests, starts a server and makes tokens, sessions and one completed download per site. */
export function useAccess(): void {
  beforeAll(async () => {
    system = await System.start();
    for (const client_id of ["site-1", "site-2"]) {
      const fields = { client_id, key: `the-key-of-${client_id}`, enroll_token: ENROLL_TOKEN };
      await using client = await ScriptedClient.register(system.url, fields);
      const id = await system.pull("data.bin", client_id);
      client.deliver(await client.next("download_request"), new Uint8Array(100));
      expect((await system.ended(id)).status).toBe("completed");
      if (client_id === "site-1") completed = id;
    }
    await waitFor(
      async () => (await system.api.clients()).every(({ connected }) => !connected),
      "the clients to be gone",
    );
    for (const role of ROLES) await makeToken(role, role);
    for (const role of ["viewer", "operator"] as const) {
      for (const n of [1, 2]) await makeToken(`${role}-${n}`, role, [`site-${n}`]);
    }
    await makeToken("expired", "admin", null, 1);
    await makeToken("revoked", "admin");
    for (const name of ["admin", "viewer", "revoked"]) await signIn(name, secrets.get(name)!);
    await signIn("left", API_TOKEN);
    const headers = cookie("left");
    await fetch(`${system.url}/api/session`, { method: "DELETE", headers });
    await system.api.revokeToken("revoked");
    await waitFor(
      async () => (await call(endpoints.listClients, {}, bearer("expired"))).status === 401,
      "the token to expire",
    );
  });

  afterAll(() => system?.[Symbol.asyncDispose]());
}
