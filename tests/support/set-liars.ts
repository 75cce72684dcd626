import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ServerMessage } from "../../lib/protocol/messages.ts";
import { recordLength, type SetRecord, writeRecord } from "../../lib/protocol/set-records.ts";
import { damaged, frame, md5, REGISTER, ScriptedClient } from "./scripted-client.ts";
import { md5OfFile, writeRandom } from "./sources.ts";
import { System } from "./system.ts";
import { waitFor } from "./wait.ts";

const MiB = 1024 * 1024;
export const CHUNK = REGISTER.chunk_size;

export let system: System;
let ids = 0;

/** Returns a new id for a lying client. */
export const newLiarId = () => `liar-${++ids}`;

type Request = Extract<ServerMessage, { type: "set_request" }>;
type Wanted = Extract<ServerMessage, { type: "set_want" }>["files"];

/** A client that was asked for a set, and sends the false messages that a test wants. */
export class Liar implements AsyncDisposable {
  #offset = 0;

  private constructor(
    readonly client: ScriptedClient,
    readonly downloadId: string,
    private request: Request,
    private readonly server: System,
  ) {}

  static async asked(order: object = {}, server = system): Promise<Liar> {
    const client_id = newLiarId();
    const fields = { client_id, features: ["list", "set"] };
    const client = await ScriptedClient.register(server.url, fields as never);
    const asked = { client_id, paths: ["a/**"], ...order };
    const { download_id } = await server.api.startDownload(asked);
    const request = await client.next("set_request");
    await client.next("set_list");
    return new Liar(client, download_id, request, server);
  }

  /** Offset in the stream at which the next frame begins. */
  get offset(): number {
    return this.#offset;
  }

  /** Sends bytes in frames of at most {@link CHUNK} bytes. */
  frames(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      const part = bytes.subarray(at, at + CHUNK);
      this.client.sendRaw(frame(this.request, this.#offset, part));
      this.#offset += part.length;
    }
  }

  /** Sends a frame at an offset beyond the granted bytes. */
  beyond(): void {
    this.client.sendRaw(frame(this.request, 2 ** 40, BYTE));
  }

  /**
   * Sends the manifest of a set.
   * @param lines fields that replace those of a valid line, or a raw text
   */
  list(...lines: (object | string)[]): void {
    const good = { root: 0, size: 1, mtime_ns: "1" };
    const text = lines.map((line) =>
      typeof line === "string" ? line : `${JSON.stringify({ ...good, ...line })}\n`,
    );
    this.frames(new TextEncoder().encode(text.join("")));
    this.listed();
  }

  listed(total_size = this.#offset, fields: object = {}): void {
    this.say({ type: "set_listed", total_size, ...fields });
  }

  say(message: object): void {
    const { stream, epoch } = this.request;
    this.client.send({ ...message, stream, epoch });
  }

  /** Sends a manifest, and returns the files that the server then asks for. */
  async wanted(...lines: object[]): Promise<Wanted> {
    this.list(...lines);
    return (await this.client.next("set_want")).files;
  }

  /** Sends records in one frame. */
  records(...records: SetRecord[]): void {
    this.frames(packed(records));
  }

  /** Sends records in a frame whose last byte has one bit flipped. */
  flipped(...records: SetRecord[]): void {
    const bytes = frame(this.request, this.#offset, packed(records));
    this.client.sendRaw(damaged(bytes, bytes.length - 1));
  }

  /**
   * Waits until an attempt of the set has failed, and cancels the download if it was queued again.
   * @returns the error code and the error message
   */
  async failure(): Promise<string> {
    const record = await waitFor(async () => {
      const found = await this.server.api.download(this.downloadId);
      return found.error_code !== null ? found : undefined;
    }, "the set to fail");
    if (record.status === "queued") await this.server.api.cancel(this.downloadId);
    return `${record.error_code}: ${record.error}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.api.cancel(this.downloadId).catch(() => undefined);
    await this.client[Symbol.asyncDispose]();
  }
}

function packed(records: SetRecord[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + recordLength(record), 0));
  let at = 0;
  for (const record of records) at = writeRecord(bytes, at, record);
  return bytes;
}

export const BYTE = new Uint8Array([120]);

export const end = (fields: object = {}): SetRecord =>
  ({ type: "end", changed: false, digest: md5(BYTE), ...fields }) as SetRecord;

/**
 * Starts a server and an honest client for a file's tests, and after each test checks that no harm was done.
 */
export function useSetLiars(): void {
  beforeAll(startSystem);
  afterAll(() => system[Symbol.asyncDispose]());

  afterEach(async () => {
    try {
      await expectNoHarm();
    } catch (error) {
      // A new server is started, so that damage found here does not fail the later tests too.
      await system[Symbol.asyncDispose]();
      await startSystem();
      throw error;
    }
  });
}

async function startSystem(): Promise<void> {
  system = await System.start({ ENROLL_TOKEN: "" });
  await writeRandom(system.source("honest.bin"), MiB);
  await system.startClient({ id: "honest" });
}

async function expectNoHarm(): Promise<void> {
  const record = await system.ended(await system.pull("honest.bin", "honest"));
  expect(record).toMatchObject({
    status: "completed",
    attempts: 1,
    md5: await md5OfFile(system.source("honest.bin")),
  });
  const names = await readdir(join(system.folder, "downloads"));
  expect(names.filter((name) => name.startsWith("liar"))).toEqual([]);
  await system.expectNoParts();
}
