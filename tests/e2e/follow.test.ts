import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { follow, startDownloads } from "../../lib/cli/rest/follow.ts";
import type { Terminal } from "../../lib/cli/terminal/terminal.ts";
import { type Version, writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/** So many downloads that `fds` follows all of them by one event stream, instead of one stream each. */
const MANY = 30;
const FILE = "file_to_download.txt";

/** A server that allows 10 requests a second. Its client is limited to 1 MiB/s. */
let system: System;
let original: Version;
beforeAll(async () => {
  system = await System.start({ REQUEST_RATE: "10" });
  original = await writeRandom(system.source(FILE), 100_000);
  await system.startClient({ env: { RATE_LIMIT: "1MiB" } });
});
afterAll(() => system[Symbol.asyncDispose]());

const nowhere: Terminal = {
  write: () => undefined,
  live: false,
  colour: false,
  columns: () => 80,
  rows: () => 24,
};

async function readersOfEvents(): Promise<number | null> {
  const headers = { authorization: "Bearer the-operators-token" };
  const text = await (await fetch(`${system.url}/metrics`, { headers })).text();
  const [, count] = /^fds_event_readers (\d+)$/m.exec(text) ?? [];
  return count === undefined ? null : Number(count);
}

test("many downloads are asked for at the server's pace, and followed by one stream, over a restart", async () => {
  const requests = Array.from({ length: MANY }, () => ({ client_id: "site-1", file_path: FILE }));
  const { started, refused } = await startDownloads(system.api, requests);
  expect({ started: started.length, refused }).toEqual({ started: MANY, refused: [] });
  // The first download ends before fds starts to follow it.
  await system.ended(started[0]?.downloadId ?? "");

  const ended = new Set<string>();
  const following = follow(system.api, started, nowhere, {
    onChange: ({ download_id, status }) => void (status === "completed" && ended.add(download_id)),
  });
  await waitFor(() => ended.size > 1, "some to end");
  // The count is read until the call succeeds, because the server's rate limit may refuse this request, too.
  expect(await waitFor(readersOfEvents, "a count of readers")).toBe(1);
  system.server.signal("SIGKILL");
  await system.restartServer();
  const records = await following;
  expect(records.map(({ download_id }) => download_id)).toEqual(
    started.map(({ downloadId }) => downloadId),
  );
  for (const record of records) await system.expectDelivered(record, original);
});
