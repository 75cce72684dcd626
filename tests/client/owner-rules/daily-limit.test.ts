import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DailyLimit } from "../../../lib/client/owner-rules/daily-limit.ts";
import { Logger } from "../../../lib/util/logger.ts";

let folder: string;
let now: Date;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-daily-"));
  now = new Date(2026, 0, 31, 23, 59);
});
afterEach(() => rm(folder, { recursive: true }));

const said: string[] = [];
const logger = new Logger({ level: "info", format: "json", write: (line) => void said.push(line) });
const open = (limit = 1000) => DailyLimit.open({ stateDir: folder, limit, logger, now: () => now });

const refusal = (limit: DailyLimit, bytes: number) =>
  limit.reserve(bytes).then(
    () => null,
    (error: unknown) => error,
  );

test("files leave until the day's bytes are used, to the last one", async () => {
  const limit = await open();
  await limit.reserve(400);
  await limit.reserve(600);
  expect(await refusal(limit, 1)).toMatchObject({
    code: "access_denied",
    message: "the site lets 1000 B a day leave, 0 B are left, the file needs 1 B",
  });
  await limit.reserve(0);
});

test("what is reserved is taken, and what was not sent is given back", async () => {
  const limit = await open();
  const first = await limit.reserve(900);
  expect(await refusal(limit, 200)).toHaveProperty("code", "access_denied");
  await first.giveBack(800);
  expect(await refusal(limit, 901)).toHaveProperty("code", "access_denied");
  await limit.reserve(900);
});

test.each([-1, -4_194_304, Number.NaN])("%d bytes cannot be reserved", async (bytes) => {
  const limit = await open();
  expect(await refusal(limit, bytes)).toHaveProperty("code", "access_denied");
  await limit.reserve(1000);
  expect(await refusal(limit, 1)).toHaveProperty("code", "access_denied");
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
  await late.giveBack(1000);
  expect(await refusal(limit, 1)).toHaveProperty("code", "access_denied");
  await early.giveBack(0);
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

describe("a record in the state folder", () => {
  const file = () => join(folder, "sent-today.json");
  beforeEach(() => said.splice(0));

  test("of less than nothing counts as nothing", async () => {
    await writeFile(file(), '{"day":"2026-01-31","bytes":-4194304}');
    const limit = await open();
    expect(await refusal(limit, 1001)).toHaveProperty("code", "access_denied");
    await limit.reserve(1000);
  });

  test.each([
    "{",
    "",
    "null",
    '{"day":"2026-01-31"}',
    '{"day":"2026-01-31","bytes":1e300}',
    "\0\0",
  ])("that says %j lets nothing more leave today, and says so", async (text) => {
    await writeFile(file(), text);
    await utimes(file(), now, now);
    const limit = await open();
    expect(await refusal(limit, 1)).toHaveProperty("code", "access_denied");
    expect(said.join("")).toMatch(/sent-today\.json.* does not say what left today/);
    now = new Date(2026, 1, 1, 0, 0);
    await limit.reserve(1000);
    expect(await refusal(await open(), 1)).toHaveProperty("code", "access_denied");
  });

  test("that broke on another day does not matter", async () => {
    await writeFile(file(), "{");
    await utimes(file(), new Date(2026, 0, 30), new Date(2026, 0, 30));
    await (await open()).reserve(1000);
    expect(said).toEqual([]);
  });

  test("that is a folder keeps no client from its start", async () => {
    await mkdir(file());
    await utimes(file(), now, now);
    expect(await refusal(await open(), 1)).toHaveProperty("code", "access_denied");
  });
});

describe("where the state folder cannot be written", () => {
  test("nothing leaves, the reason is told, and nothing of the day is used up", async () => {
    const limit = await open();
    const gone = `${folder}-gone`;
    await rename(folder, gone);
    for (let time = 0; time < 5; time++) {
      expect(await refusal(limit, 900)).toMatchObject({
        code: "access_denied",
        message:
          "the site cannot record what leaves in a day, so nothing does: its state folder cannot be written (ENOENT)",
      });
    }
    await rename(gone, folder);
    await limit.reserve(1000);
  });

  test("what did not leave is given back all the same", async () => {
    const limit = await open();
    const reservation = await limit.reserve(1000);
    const gone = `${folder}-gone`;
    await rename(folder, gone);
    await reservation.giveBack(1000);
    await rename(gone, folder);
    await limit.reserve(1000);
    expect(await refusal(await open(), 1)).toHaveProperty("code", "access_denied");
  });
});
