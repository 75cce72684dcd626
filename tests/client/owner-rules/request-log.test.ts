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
const refusedFile = () => join(folder, "requests-refused.log");
/** Returns the parsed lines of a log file. */
async function linesOf(path: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(path, "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}
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
  const read = await linesOf(file());
  expect(read.map(({ file_path }) => file_path)).toEqual(paths);
  expect(read[0]).toEqual({
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    ...entry({ file_path: paths[0] }),
  });
});

test.skipIf(process.platform === "win32")("nobody else reads it (needs POSIX)", async () => {
  await open().add(entry());
  expect((await stat(file())).mode & 0o777).toBe(0o600);
});

test("what left is apart from what did not", async () => {
  const log = open();
  const left = [
    entry(),
    entry({ bytes_sent: 0 }),
    entry({ outcome: "cancelled", bytes_sent: 1 }),
    entry({ outcome: "refused", bytes_sent: 5, reason: "source_changed: it changed" }),
  ];
  const refused = [
    entry({ outcome: "refused", bytes_sent: 0, reason: "access_denied: no" }),
    entry({ outcome: "cancelled", bytes_sent: 0 }),
    entry({ outcome: "disconnected", bytes_sent: 0 }),
  ];
  for (const one of [...left, ...refused].toReversed()) await log.add(one);
  expect((await linesOf(file())).toReversed()).toMatchObject(left);
  expect((await linesOf(refusedFile())).toReversed()).toMatchObject(refused);
});

test("a flood of refusals is counted, and what left stays", async () => {
  const log = open();
  await log.add(entry({ file_path: "stolen.txt" }));
  for (let n = 0; n < 10_000; n++) {
    await log.add(
      entry({
        file_path: "\u0001".repeat(4096),
        outcome: "refused",
        bytes_sent: 0,
        reason: `access_denied: "${"\u0001".repeat(500)}…" is not among the files`,
      }),
    );
  }
  await log.close();
  const refused = await linesOf(refusedFile());
  expect(refused).toHaveLength(201);
  expect(refused.at(-1)).toMatchObject({ outcome: "refused", times: 9800 });
  expect((await stat(refusedFile())).size).toBeLessThan(201 * 2048);
  expect(await linesOf(file())).toMatchObject([{ file_path: "stolen.txt" }]);
});

test("a file that leaves again and again is counted by every path that means it", async () => {
  const log = open();
  await log.add(entry({ file_path: "stolen.txt" }));
  for (let n = 0; n < 1000; n++) await log.add(entry({ file_path: `${"./".repeat(n % 9)}a.txt` }));
  await log.close();
  const all = await linesOf(file());
  expect(all).toHaveLength(1 + 20 + 1);
  expect(all[0]).toMatchObject({ file_path: "stolen.txt" });
  expect(all.at(-1)).toMatchObject({ outcome: "sent", times: 980, bytes_sent: 980 * 3 });
  expect(String(all.at(-1)?.["file_path"])).toEndWith("a.txt");
});

test("a path that left is found, however it was spelled", async () => {
  const log = open();
  const noise = "\u0001/../".repeat(500);
  await log.add(entry({ file_path: `${noise}deep/a.txt/${noise.slice(0, 500)}` }));
  expect(await linesOf(file())).toMatchObject([{ file_path: "deep/a.txt/" }]);
});

test("it begins anew when it is long, and keeps more of what left", async () => {
  const log = open();
  for (const [path, size] of [
    [file(), 8],
    [refusedFile(), 1],
  ] as const) {
    await writeFile(path, "x".repeat(size * 1024 * 1024));
    for (let n = 1; n <= 9; n++) await writeFile(`${path}.${n}`, String(n));
  }
  await log.add(entry());
  await log.add(entry({ outcome: "refused", bytes_sent: 0 }));
  const kept = (path: string) =>
    Promise.all(
      Array.from({ length: 9 }, async (_, n) => {
        const text = await readFile(`${path}.${n + 1}`, "utf8");
        return text.length > 1 ? "x" : text;
      }),
    );
  expect(await kept(file())).toEqual(["x", "1", "2", "3", "4", "5", "6", "8", "9"]);
  expect(await kept(refusedFile())).toEqual(["x", "2", "3", "4", "5", "6", "7", "8", "9"]);
  expect(await linesOf(file())).toHaveLength(1);
  expect(await linesOf(refusedFile())).toHaveLength(1);
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
