import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastDelivery } from "../../../lib/client/owner-rules/last-delivery.ts";
import { RequestLog } from "../../../lib/client/owner-rules/request-log.ts";
import { Logger } from "../../../lib/util/logger.ts";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "fds-delivery-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, ...lines: string[]) =>
  writeFile(join(folder, name), lines.map((line) => `${line}\n`).join(""));

const line = (file_path: string, outcome = "sent") =>
  JSON.stringify({ time: "2026-01-02T03:04:05.678Z", file_path, outcome, bytes_sent: 7 });

test("there is none where nothing left, and where there is no record", async () => {
  expect(await lastDelivery(folder)).toBeNull();
  expect(await lastDelivery(join(folder, "gone"))).toBeNull();
  await write("requests.log", line("a", "cancelled"), "", "{", '"sent"');
  expect(await lastDelivery(folder)).toBeNull();
});

test("is the last one that left whole, as the record is written", async () => {
  const logger = new Logger({ level: "error", format: "json" });
  const log = new RequestLog(folder, logger);
  const entry = { server: "wss://a", download_id: "1", bytes_sent: 5 };
  await log.add({ ...entry, file_path: "first", outcome: "sent" });
  await log.add({ ...entry, file_path: "second", outcome: "sent" });
  await log.add({ ...entry, file_path: "third", outcome: "disconnected" });
  await log.close();
  expect(await lastDelivery(folder)).toMatchObject({ file_path: "second", bytes_sent: 5 });
});

test("can be a set, but not a listing of a folder", async () => {
  const log = new RequestLog(folder, new Logger({ level: "error", format: "json" }));
  const entry = { server: "wss://a", outcome: "sent" } as const;
  await log.add({ ...entry, action: "set", download_id: "1", file_path: "logs", bytes_sent: 9 });
  await log.add({ ...entry, action: "browse", file_path: "exports", bytes_sent: 0 });
  await log.close();
  expect(await lastDelivery(folder)).toMatchObject({ file_path: "logs", bytes_sent: 9 });
});

test("is looked for in the older record where the new one has just begun", async () => {
  await write("requests.log.1", line("older"));
  await write("requests.log", line("newer", "cancelled"));
  expect(await lastDelivery(folder)).toMatchObject({ file_path: "older" });
});

test("is found at the end of a record, however long it is", async () => {
  await write("requests.log", line("a"), ...Array<string>(10_000).fill(line("b")), line("c"));
  expect(await lastDelivery(folder)).toMatchObject({ file_path: "c" });
});
