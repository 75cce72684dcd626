import { afterAll, afterEach, beforeAll, beforeEach, expect } from "bun:test";
import { Random } from "./random.ts";
import { REGISTER, type Request, ScriptedClient } from "./scripted-client.ts";
import { md5OfFile, writeRandom } from "./sources.ts";
import { System } from "./system.ts";
import { waitFor } from "./wait.ts";

/*
 * Clients that lie, beside one that is honest. After each lie the server lives, the honest client's
 * download that was under way is whole, and nothing but complete files lies outside `.server/`.
 */

export const CHUNK = REGISTER.chunk_size;
/** What the lying clients say that they have. */
export const BYTES = new Random(7).bytes(3 * CHUNK + 5);

/** What a client says in answer to a request. */
export type Lie = (client: ScriptedClient, request: Request) => void;

/** The server that is lied to, and the honest client. */
export let system: System;
let honest: { downloadId: string; md5: string };
/** Lines of the server's log before the test. */
let logged = 0;
let ids = 0;
/** The liars of the test, which leave at its end. */
const clients: ScriptedClient[] = [];

/** Starts the server before the tests of a file, and looks after each what its lie did to it. */
export function useLiars(): void {
  beforeAll(start);
  afterAll(() => system[Symbol.asyncDispose]());

  beforeEach(async () => {
    logged = system.server.log().length;
    honest = {
      downloadId: await system.pull("honest.bin", "honest"),
      md5: await md5OfFile(system.source("honest.bin")),
    };
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) await client[Symbol.asyncDispose]();
    try {
      await expectNoHarm();
    } catch (error) {
      // What this lie did is not to be found again by the tests behind it.
      await system[Symbol.asyncDispose]();
      await start();
      throw error;
    }
  });
}

async function start(): Promise<void> {
  system = await System.start({ ENROLL_TOKEN: "" });
  await writeRandom(system.source("honest.bin"), 512 * 1024);
  await system.startClient({ id: "honest" });
}

async function expectNoHarm(): Promise<void> {
  expect(await system.ended(honest.downloadId)).toMatchObject({
    status: "completed",
    md5: honest.md5,
    attempts: 1,
  });
  expect(await system.api.health()).toMatchObject({ status: "healthy" });
  await waitFor(async () => {
    // What was broken off just now may get back to the queue after a first look.
    const { downloads } = await system.api.downloads({ status: "queued" });
    for (const { download_id } of downloads) await system.api.cancel(download_id);
    return (await system.parts()).length === 0;
  }, "the parts to be removed");
  await system.expectTidy();
  expectNoErrors(logged);
}

/** A liar's words make no lines of their own in the log. @param from the first line that is looked at */
export function expectNoErrors(from = 0): void {
  const lines = system.server.log().slice(from);
  expect(lines.filter(({ level }) => level === "none" || level === "error")).toEqual([]);
}

/** The id of the newest liar. */
export const liarId = () => `liar-${ids}`;

/** An id that no liar had yet. */
export const newLiarId = () => `liar-${++ids}`;

/** A client of its own for each test, and the request for a file that it gets. */
export async function requested(): Promise<{
  client: ScriptedClient;
  request: Request;
  downloadId: string;
}> {
  const client_id = newLiarId();
  const client = await comeBack();
  const downloadId = await system.pull("data.bin", client_id);
  return { client, request: await client.next("download_request"), downloadId };
}

/** The newest liar connects, for the first time or again. */
export async function comeBack(): Promise<ScriptedClient> {
  const client = await ScriptedClient.register(system.url, { client_id: liarId() });
  clients.push(client);
  return client;
}

/**
 * Tells a lie that breaks the protocol: the client is told how, and its download waits for another try.
 * @param reason what the client is told
 */
export async function expectRefused(lie: Lie, reason: RegExp): Promise<void> {
  const { client, request, downloadId } = await requested();
  lie(client, request);
  const closing = await client.refused();
  expect(closing.reason).toMatch(reason);
  expect([1002, 1009]).toContain(closing.code);
  const record = await waitFor(async () => {
    const now = await system.api.download(downloadId);
    return now.status === "queued" && now;
  }, "the download to wait");
  expect(record).toMatchObject({ error_code: "protocol_error", saved_path: null });
  expect(record.error).toStartWith("the client broke the protocol: ");
  expect(record.bytes_received).toBeLessThanOrEqual(BYTES.length);
}
