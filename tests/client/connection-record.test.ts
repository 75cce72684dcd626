import { afterEach, beforeEach, expect, setSystemTime, test } from "bun:test";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectionRecorder, readConnectionRecord } from "../../lib/client/connection-record.ts";
import { Logger } from "../../lib/util/logger.ts";

const ABOUT = { server: "wss://files.example.com", version: "1.2.3" };

let folder: string;
let lines: string[];
let logger: Logger;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-connection-"));
  lines = [];
  logger = new Logger({ level: "info", format: "json", write: (line) => void lines.push(line) });
});
afterEach(async () => {
  setSystemTime();
  await rm(folder, { recursive: true, force: true });
});

test("says what the client is, and how it stands with its server", async () => {
  setSystemTime(1000);
  const recorder = new ConnectionRecorder(folder, ABOUT, logger);
  const connecting = { ...ABOUT, state: "connecting", pid: process.pid, server_version: null };
  await recorder.settled();
  const begun = new Date(1000).toISOString();
  expect(await readConnectionRecord(folder)).toMatchObject({ ...connecting, since: begun });

  setSystemTime(2000);
  recorder.change({ state: "waiting", reason: "nobody there" });
  setSystemTime(3000);
  recorder.change({ state: "waiting", reason: "still nobody" });
  await recorder.settled();
  const waiting = { state: "waiting", reason: "still nobody", since: new Date(2000).toISOString() };
  expect(await readConnectionRecord(folder)).toMatchObject(waiting);

  recorder.change({ state: "connected", serverVersion: "2.0.0" });
  await recorder.close();
  const stopped = { state: "stopped", reason: null, server_version: "2.0.0" };
  expect(await readConnectionRecord(folder)).toMatchObject(stopped);
  expect(await readdir(folder)).toEqual(["connection.json"]);
  expect((await stat(join(folder, "connection.json"))).mode & 0o777).toBe(0o600);
  expect(lines).toEqual([]);
});

test("holds nothing up where it cannot be written, and says so", async () => {
  const recorder = new ConnectionRecorder(join(folder, "gone"), ABOUT, logger);
  await recorder.close();
  expect(lines.join("")).toContain("the state of the connection could not be written");
});

test.each(["", "{", "{}", "[]", '{"state":"happy"}'])("%p is no record", async (text) => {
  await writeFile(join(folder, "connection.json"), text);
  expect(await readConnectionRecord(folder)).toBeNull();
});

test("there is none where no client ever ran", async () => {
  expect(await readConnectionRecord(folder)).toBeNull();
  expect(await readConnectionRecord(join(folder, "gone"))).toBeNull();
});
