import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Allowance } from "../../../lib/client/owner-rules/allowance.ts";
import { DailyLimit } from "../../../lib/client/owner-rules/daily-limit.ts";
import { Logger } from "../../../lib/util/logger.ts";

const LIMIT = 1000;

let folder: string;
let limit: DailyLimit;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-allowance-"));
  const logger = new Logger({ level: "info", format: "json", write: () => undefined });
  limit = await DailyLimit.open({ stateDir: folder, limit: LIMIT, logger });
});
afterEach(() => rm(folder, { recursive: true }));

/** Returns the recorded number of bytes that were sent today, or are about to be. */
const recorded = async (): Promise<number> =>
  JSON.parse(await readFile(join(folder, "sent-today.json"), "utf8")).bytes;

const code = (promise: Promise<void>) =>
  promise.then(
    () => null,
    (error) => error.code,
  );

test("what is to leave is on record before, and given back where it did not leave", async () => {
  const allowance = new Allowance(limit);
  await allowance.ensure(600);
  expect(await recorded()).toBe(600);
  allowance.spend(250);
  await allowance.end();
  expect(await recorded()).toBe(250);
});

test("what leaves twice counts twice, up to the limit", async () => {
  const allowance = new Allowance(limit);
  for (let time = 0; time < 2; time++) {
    await allowance.ensure(500);
    allowance.spend(500);
  }
  expect(await recorded()).toBe(1000);
  expect(await code(allowance.ensure(1))).toBe("access_denied");
  await allowance.end();
  expect(await recorded()).toBe(1000);
});

test("a step ahead is taken while there is one, then what is needed", async () => {
  const allowance = new Allowance(limit, 400);
  for (let file = 0; file < 100; file++) {
    await allowance.ensure(10);
    allowance.spend(10);
    const inSteps = Math.ceil((file + 1) / 40) * 400;
    expect(await recorded()).toBe(file < 80 ? inSteps : (file + 1) * 10);
  }
  expect(await recorded()).toBe(1000);
  expect(await code(allowance.ensure(10))).toBe("access_denied");
});

test("without a limit anything may leave", async () => {
  const allowance = new Allowance(null);
  await allowance.ensure(Number.MAX_SAFE_INTEGER);
  allowance.spend(Number.MAX_SAFE_INTEGER);
  await allowance.end();
});
