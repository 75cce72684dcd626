import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { recordLength, type SetRecord, writeRecord } from "../../lib/protocol/set-records.ts";
import { frame, REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Clients that lie about a set. After each lie the server lives, and nothing of it lies outside
 * `.server/`.
 */

let system: System;
let ids = 0;

beforeAll(async () => {
  system = await System.start({ ENROLL_TOKEN: "" });
});
afterAll(() => system[Symbol.asyncDispose]());

interface Attempt {
  client: ScriptedClient;
  downloadId: string;
  /** Sends bytes of the stream, and goes on behind them. */
  send(bytes: Uint8Array): void;
  /** Ends the manifest; it has what was sent so far. */
  listed(): void;
}

/** A client that is asked for `exports`, without `*.tmp`. */
async function requested(): Promise<Attempt> {
  const client_id = `liar-${++ids}`;
  const fields = { client_id, features: ["list", "set"] };
  const client = await ScriptedClient.register(system.url, fields as Partial<typeof REGISTER>);
  const { download_id } = await system.api.startDownload({
    client_id,
    paths: ["exports"],
    exclude: ["**/*.tmp"],
  });
  const request = await client.next("set_request");
  await client.next("set_list");
  const { stream, epoch } = request;
  let offset = 0;
  return {
    client,
    downloadId: download_id,
    send(bytes) {
      client.sendRaw(frame(request as never, offset, bytes as Uint8Array<ArrayBuffer>));
      offset += bytes.length;
    },
    listed: () => client.send({ type: "set_listed", stream, epoch, total_size: offset }),
  };
}

/** A line of a manifest. */
const line = (path: string, fields: object = {}) =>
  `${JSON.stringify({ path, root: 0, size: 4, mtime_ns: "1764374400000000000", ...fields })}\n`;

function recordsOf(...records: SetRecord[]): Uint8Array {
  const target = new Uint8Array(records.reduce((sum, each) => sum + recordLength(each), 0));
  let at = 0;
  for (const record of records) at = writeRecord(target, at, record);
  return target;
}

/** The attempt ends for breaking the protocol, and nothing is left of the set. */
async function expectRefused({ client, downloadId }: Attempt): Promise<void> {
  await waitFor(
    () =>
      system.server
        .log()
        .some(
          ({ message, download_id }) =>
            download_id === downloadId && /the client broke the protocol/.test(message),
        ),
    "the lie to be told",
  );
  await system.api.cancel(downloadId);
  await expectNothingLeft();
  await client[Symbol.asyncDispose]();
}

async function expectNothingLeft(): Promise<void> {
  await waitFor(async () => (await system.parts()).length === 0, "its part to be removed");
  const folder = join(system.folder, "downloads");
  const names = await readdir(folder, { recursive: true });
  expect(names.filter((name) => !name.startsWith(".server") && name.includes("/"))).toEqual([]);
  expect(await system.api.health()).toMatchObject({ status: "healthy" });
}

test.each<[string, string]>([
  ["leads out of the folder", line("exports/../../evil")],
  ["leads out of it from its first name", line("../exports/evil")],
  ["is absolute", line("/exports/a")],
  ["ends in a slash", line("exports/a/")],
  ["holds a NUL", line("exports/a\0b")],
  ["nobody asked for", line("other/a")],
  ["nobody asked for, as skipped", line("other/a", { skipped: "not_settled" })],
  ["was left out", line("exports/a.tmp")],
  ["comes twice", line("exports/a") + line("exports/a")],
  ["has a code that there is not", line("exports/a", { skipped: "because" })],
  ["has less than no bytes", line("exports/a", { size: -1 })],
  ["has more bytes than there are", line("exports/a", { size: 2 ** 53 - 1 }) + line("exports/b")],
  ["is longer than any", line(`exports/${"a/".repeat(3000)}a`)],
  ["is in no JSON", "exports/a\n"],
  ["has no end", line("exports/a").trimEnd()],
])("a manifest whose path %s ends the attempt, and leaves nothing", async (_, manifest) => {
  const attempt = await requested();
  attempt.send(Buffer.from(manifest));
  attempt.listed();
  await expectRefused(attempt);
});

const START = { type: "start", index: 0, size: 4, mtimeNs: 1n, offset: 0 } as const;
const END: SetRecord = { type: "end", changed: false, digest: "0".repeat(32) };
const data = (length: number) => ({ type: "data", bytes: new Uint8Array(length) }) as const;

test.each<[string, SetRecord[]]>([
  ["a file that was not wanted", [{ ...START, index: 1 }]],
  ["bytes of no file", [data(4)]],
  ["the end of no file", [END]],
  ["more bytes than the file has", [START, data(5)]],
  ["an end before the last byte", [START, data(3), END]],
  ["a file that begins behind what is here", [{ ...START, offset: 2 }]],
  ["what was not wanted as skipped", [{ type: "skip", index: 1, code: "x", message: "" }]],
])("records with %s end the attempt, and leave nothing", async (_, records) => {
  const attempt = await requested();
  attempt.send(Buffer.from(line("exports/a")));
  attempt.listed();
  await attempt.client.next("set_want");
  attempt.send(recordsOf(...records));
  await expectRefused(attempt);
});

test("a file whose checksum is wrong three times is skipped, and fails a set of nothing else", async () => {
  const { client, downloadId, send, listed } = await requested();
  send(Buffer.from(line("exports/a")));
  listed();
  for (let time = 0; time < 3; time++) {
    await client.next("set_want");
    send(recordsOf(START, data(4), END));
  }
  expect(await system.ended(downloadId)).toMatchObject({
    status: "failed",
    error_code: "checksum_mismatch",
    saved_path: null,
  });
  await expectNothingLeft();
  await client[Symbol.asyncDispose]();
});
