import { afterAll, afterEach, beforeAll, beforeEach, expect } from "bun:test";
import { Random } from "./random.ts";
import { REGISTER, type Request, ScriptedClient } from "./scripted-client.ts";
import { md5OfFile, writeRandom } from "./sources.ts";
import { System } from "./system.ts";
import { waitFor } from "./wait.ts";

/*
 * Clients that send false messages, beside an honest client. After each test the server must be healthy, the
 * honest client's download complete, and only complete files outside `.server/`.
 */

export const CHUNK = REGISTER.chunk_size;
/** The content of the file that the lying clients offer. */
export const BYTES = new Random(7).bytes(3 * CHUNK + 5);

/** Sends a lying client's answer to a download request. */
export type Lie = (client: ScriptedClient, request: Request) => void;

/** The server, with its honest client. */
export let system: System;
let honest: { downloadId: string; md5: string };
/** The number of lines in the server's log before the test. */
let logged = 0;
let ids = 0;
/** The lying clients of the test, closed at its end. */
const clients: ScriptedClient[] = [];

/**
 * Starts a server and an honest client for a file's tests, and after each test checks that no harm was done.
 */
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
      // A new server is started, so that damage found here does not fail the later tests too.
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
    // A download whose connection just broke may be queued again a moment later, so each round cancels all
    // queued downloads.
    const { downloads } = await system.api.downloads({ status: "queued" });
    for (const { download_id } of downloads) await system.api.cancel(download_id);
    return (await system.parts()).length === 0;
  }, "the parts to be removed");
  await system.expectTidy();
  expectNoErrors(logged);
}

/**
 * Expects no errors and no unformatted lines in the server's log.
 * @param from index of the first line to check
 */
export function expectNoErrors(from = 0): void {
  const lines = system.server.log().slice(from);
  expect(lines.filter(({ level }) => level === "none" || level === "error")).toEqual([]);
}

/** Returns the id of the newest lying client. */
export const liarId = () => `liar-${ids}`;

/** Returns a new id for a lying client. */
export const newLiarId = () => `liar-${++ids}`;

/** Connects a new lying client, starts a download from it, and waits for the server's request. */
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

/** Connects the newest lying client, for the first time or again. */
export async function comeBack(): Promise<ScriptedClient> {
  const client = await ScriptedClient.register(system.url, { client_id: liarId() });
  clients.push(client);
  return client;
}

/**
 * Sends a lie that violates the protocol. Expects the connection to be closed, and the download to be queued
 * again.
 * @param reason matches the reason in the server's close frame
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
