import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RequestLog, type RequestEntry } from "../../../lib/client/owner-rules/request-log.ts";
import { Logger } from "../../../lib/util/logger.ts";

let folder: string;
let lines: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-requests-"));
  lines = [];
});
afterEach(() => rm(folder, { recursive: true }));

const open = () => {
  const write = (line: string) => lines.push(line);
  return new RequestLog(folder, new Logger({ level: "info", format: "json", write }));
};
const file = () => join(folder, "requests.log");
const entry = (fields: Partial<RequestEntry> = {}): RequestEntry => ({
  server: "wss://files.example.com",
  download_id: "0198c0de-0000-7000-8000-000000000000",
  file_path: "a.txt",
  outcome: "sent",
  bytes_sent: 3,
  ...fields,
});

test("every request has its line, in order, with the time", async () => {
  const log = open();
  const paths = Array.from({ length: 50 }, (_, n) => `${n}\n"€`);
  await Promise.all(paths.map((file_path) => log.add(entry({ file_path }))));
  const read = (await readFile(file(), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(read.map(({ file_path }) => file_path)).toEqual(paths);
  expect(read[0]).toEqual({ time: expect.stringMatching(/^\d{4}-.*Z$/), ...entry(read[0]) });
});

test.skipIf(process.platform === "win32")("nobody else reads it (needs POSIX)", async () => {
  await open().add(entry());
  expect((await stat(file())).mode & 0o777).toBe(0o600);
});

test("it begins anew when it is long, and keeps what it was", async () => {
  await writeFile(file(), "x".repeat(8 * 1024 * 1024));
  await open().add(entry());
  expect((await stat(`${file()}.1`)).size).toBe(8 * 1024 * 1024);
  expect((await readFile(file(), "utf8")).split("\n")).toHaveLength(2);
});

test("an error of the disk is told, and the next request is recorded again", async () => {
  const log = open();
  await mkdir(file());
  await log.add(entry());
  expect(lines.join()).toContain("a request could not be recorded");
  await rm(file(), { recursive: true });
  await log.add(entry());
  expect(await readFile(file(), "utf8")).toContain('"outcome":"sent"');
});

test("a path is as the server asked for it, and fit for a terminal", async () => {
  const file_path = "a\u001b[2J\u009b2J\u202eb\u2066\u200b.txt";
  await open().add(entry({ file_path }));
  const text = await readFile(file(), "utf8");
  expect(text.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(JSON.parse(text)).toMatchObject({ file_path });
});
