import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DailyLimit } from "../../../lib/client/owner-rules/daily-limit.ts";

let folder: string;
let now: Date;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-daily-"));
  now = new Date(2026, 0, 31, 23, 59);
});
afterEach(() => rm(folder, { recursive: true }));

const open = (limit = 1000) => DailyLimit.open(folder, limit, () => now);

const refusal = (limit: DailyLimit, bytes: number) =>
  limit.reserve(bytes).then(
    () => null,
    (error: unknown) => error,
  );

test("files leave until the day's bytes are used, to the last one", async () => {
  const limit = await open();
  await (await limit.reserve(400)).end(400);
  await (await limit.reserve(600)).end(600);
  expect(await refusal(limit, 1)).toMatchObject({
    code: "access_denied",
    message: "the site lets 1000 B a day leave, 0 B are left, the file needs 1 B",
  });
  await (await limit.reserve(0)).end(0);
});

test("what is reserved is taken, and what was not sent is given back", async () => {
  const limit = await open();
  const first = await limit.reserve(900);
  expect(await refusal(limit, 200)).toHaveProperty("code", "access_denied");
  await first.end(100);
  await (await limit.reserve(900)).end(900);
});

test("what was sent twice counts twice", async () => {
  const limit = await open();
  await (await limit.reserve(500)).end(800);
  expect(await refusal(limit, 201)).toHaveProperty("code", "access_denied");
});

test("a crash gives nothing back, and a restart begins no new day", async () => {
  await (await open()).reserve(900);
  expect(await refusal(await open(), 200)).toHaveProperty("code", "access_denied");
});

test("a new day has all its bytes, whatever the old one still sends", async () => {
  const limit = await open();
  const late = await limit.reserve(1000);
  now = new Date(2026, 1, 1, 0, 0);
  const early = await limit.reserve(1000);
  await late.end(0);
  expect(await refusal(limit, 1)).toHaveProperty("code", "access_denied");
  await early.end(1000);
  expect(await refusal(await open(), 1)).toHaveProperty("code", "access_denied");
});

test("many at once never get more than there is", async () => {
  const limit = await open();
  const refused = await Promise.all(Array.from({ length: 20 }, () => refusal(limit, 100)));
  expect(refused.filter((error) => error === null)).toHaveLength(10);
  expect(await readdir(folder)).toEqual(["sent-today.json"]);
  const { mode } = await stat(join(folder, "sent-today.json"));
  expect(mode & 0o777).toBe(process.platform === "win32" ? mode & 0o777 : 0o600);
});

test("a record that cannot be read lets nothing leave", async () => {
  await writeFile(join(folder, "sent-today.json"), "{");
  await expect(open()).rejects.toThrow(/^remove ".*sent-today\.json": it does not say/);
});
