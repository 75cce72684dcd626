import { afterAll, beforeAll, expect } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Endpoint } from "../../lib/api/endpoints/endpoint.ts";
import { ApiError } from "../../lib/api/schemas.ts";
import { type ErrorCode, meaningOf } from "../../lib/protocol/errors.ts";
import { ScriptedClient } from "./scripted-client.ts";
import { writeRandom } from "./sources.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "./system.ts";

/*
 * A real server with one download in each status, for tests of the REST interface. Responses are checked
 * against the schemas of the OpenAPI document.
 */

/** Size of the downloaded file, in bytes. */
export const SIZE = 200_000;
/** Id of a client that registered once and is not connected. */
export const AWAY = "site-away";
/** A valid id that no download has. */
export const NOWHERE = "0198c0de-0000-7000-8000-000000000000";
/** A wrong API token. The server's log must not contain it. */
export const WRONG_TOKEN = "the-wrong-token";

export let system: System;
/** Ids of one download in each status. */
export const ids = { completed: "", failed: "", cancelled: "", queued: "", downloading: "" };
/** A client that has begun to send a file and sends nothing more. */
let slow: ScriptedClient;

/** Starts the server and makes the downloads before the tests of a file. Stops the server afterwards. */
export function useRestStage(): void {
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
}

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

/**
 * Calls the server's REST interface as an operator.
 * @param body sent as JSON, or unchanged if it is a string
 */
export async function call(
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

/** Expects a response that the OpenAPI document allows for this endpoint. */
export function expectDocumented(endpoint: Endpoint, { status, body }: Answer): void {
  const documented = endpoint.answers.find((answer) => answer.status === status);
  // Parsing drops unknown fields, so the comparison also finds undocumented fields.
  if (documented?.schema) return expect(documented.schema.parse(body)).toEqual(body as object);
  if (documented) return;
  const error = ApiError.strict().parse(body);
  const common: ErrorCode[] = ["unauthorized", "invalid_request", "rate_limited", "internal_error"];
  const known = [...endpoint.errors, ...common].find((code) => code === error.code);
  expect(known, `${endpoint.method} ${endpoint.path} may not answer ${error.code}`).toBeDefined();
  expect(status).toBe(meaningOf(known!).http!);
}

export function expectError(
  { status, body }: Answer,
  code: ErrorCode,
  message: RegExp = /./,
): void {
  expect(body).toEqual({ error: expect.stringMatching(message), code });
  expect(status).toBe(meaningOf(code).http!);
  const { error } = body as ApiError;
  expect(error).not.toContain(system.folder);
  expect(error).not.toContain("\n    at ");
}

/** Returns the URL path of a download. @param action a further path, such as `/events` */
export const of = (id: string, action = "") => `/api/downloads/${id}${action}`;

/** Returns the absolute path of a response's Location header. @param path of the request that was answered */
export const placeOf = ({ headers }: Answer, path: string) =>
  new URL(headers.get("Location") ?? "", system.url + path).pathname;

/** Checks that no log of the server or its client contains a secret. */
export async function expectNoSecretInLogs(): Promise<void> {
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
}
