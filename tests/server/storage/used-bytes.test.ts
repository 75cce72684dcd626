import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsedBytes } from "../../../lib/server/storage/used-bytes.ts";

let folder: string;
let used: UsedBytes;
/** Folders that were read. */
let reads: string[];

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "fds-used-"));
  used = new UsedBytes();
  reads = [];
  const { readdir } = fs;
  spyOn(fs, "readdir").mockImplementation(((path: string) => {
    reads.push(path.slice(folder.length));
    return readdir(path);
  }) as typeof readdir);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await fs.rm(folder, { recursive: true });
});

/** Puts a file of a size there. */
async function put(name: string, size: number): Promise<void> {
  const path = join(folder, name);
  await fs.mkdir(join(path, ".."), { recursive: true });
  await fs.writeFile(path, new Uint8Array(size));
}

/** Lets the last change of a folder be long ago. */
const settle = (name: string) => fs.utimes(join(folder, name), 1_000, 1_000);

test("all files count, those of sets too", async () => {
  expect(await used.of(join(folder, "nowhere"))).toBe(0);
  await put("a", 1);
  await put("set/b", 20);
  await put("set/deep/er/c", 300);
  expect(await used.of(folder)).toBe(321);
  expect(await used.of(join(folder, "set"))).toBe(320);
});

test("a folder is read again when a name in it came or went, and no other one", async () => {
  await put("x/a", 1);
  await put("y/b", 20);
  for (const name of ["x", "y", "."]) await settle(name);
  expect(await used.of(folder)).toBe(21);
  expect(reads).toEqual(["", "/x", "/y"]);
  expect(await used.of(folder)).toBe(21);
  expect(reads).toHaveLength(3);
  await put("x/c", 300);
  expect(await used.of(folder)).toBe(321);
  expect(reads.slice(3)).toEqual(["/x"]);
  await fs.rm(join(folder, "y"), { recursive: true });
  expect(await used.of(folder)).toBe(301);
});

test("a folder that was changed a moment ago is read again: its time may stay the same", async () => {
  await put("a", 1);
  for (let n = 0; n < 3; n++) expect(await used.of(folder)).toBe(1);
  expect(reads).toEqual(["", "", ""]);
});

test("a file with two names counts once, and a link is not followed", async () => {
  await put("x/a", 100);
  await fs.mkdir(join(folder, "y"));
  await fs.link(join(folder, "x/a"), join(folder, "y/a"));
  await fs.symlink(join(folder, "x"), join(folder, "z"));
  const { size } = await fs.lstat(join(folder, "z"));
  expect(await used.of(folder)).toBe(100 + size);
});
