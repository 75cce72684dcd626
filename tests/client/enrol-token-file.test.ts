import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  enrolTokenFile,
  readEnrolToken,
  removeEnrolToken,
} from "../../lib/client/enrol-token-file.ts";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "fds-enrol-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a token is read until it is removed", async () => {
  expect(await readEnrolToken(folder)).toBeNull();
  await writeFile(enrolTokenFile(folder), "a-token\n");
  expect(await readEnrolToken(folder)).toBe("a-token");
  await removeEnrolToken(folder);
  await removeEnrolToken(folder);
  expect(await readdir(folder)).toEqual([]);
});

test("what is no token is told, and not repeated", async () => {
  await writeFile(enrolTokenFile(folder), "hunter2 hunter3");
  const told = readEnrolToken(folder);
  expect(told).rejects.toThrow(/enroll-token" has a wrong value, expected at most 512 ASCII/);
  await told.catch(() => undefined);
});

test("what cannot be read is told", async () => {
  await mkdir(enrolTokenFile(folder));
  expect(readEnrolToken(folder)).rejects.toThrow(/enroll-token" cannot be read \(EISDIR\)/);
});
