import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FolderName, namesIn } from "../../lib/util/folder-names.ts";
import { footprintOf } from "../support/footprint.ts";
import { spawnSync } from "../support/spawn.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-names-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function namesOf(path: string): Promise<FolderName[]> {
  const all: FolderName[] = [];
  for await (const names of namesIn(path)) all.push(...names);
  return all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

test("are those of the folder, with what they are", async () => {
  const odd = ["a\nb", "back\\slash", "é", "😀", "n".repeat(255), " "];
  for (const name of odd) fs.writeFileSync(join(folder, name), "");
  fs.mkdirSync(join(folder, "inside"));
  fs.writeFileSync(join(folder, "inside/deep"), "");
  fs.symlinkSync("inside", join(folder, "link"));
  expect(await namesOf(folder)).toEqual(
    [
      ...odd.map((name) => ({ name, type: "file" as const })),
      { name: "inside", type: "folder" as const },
      { name: "link", type: "other" as const },
    ].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  );
});

test("of an empty folder are none", async () => {
  expect(await namesOf(folder)).toEqual([]);
});

test.skipIf(process.platform !== "linux")("that are not UTF-8 can be seen to be so", async () => {
  fs.writeFileSync(Buffer.from(`${folder}/caf\xe9`, "latin1"), "");
  spawnSync(["mkfifo", join(folder, "fifo")]);
  expect(await namesOf(folder)).toEqual([
    { name: "caf\uFFFD", type: "file" },
    { name: "fifo", type: "other" },
  ]);
});

test.skipIf(process.platform !== "linux")("come some at a time, and no more are read", async () => {
  const count = 1_500;
  for (let n = 0; n < count; n++) fs.writeFileSync(join(folder, `file-${n}`), "");
  let seen = 0;
  for await (const names of namesIn(folder)) {
    seen += names.length;
    break;
  }
  expect(seen).toBeLessThan(count);
  const all = await namesOf(folder);
  expect(new Set(all.map(({ name }) => name)).size).toBe(count);
  const { files } = await footprintOf(process);
  expect(files).not.toContain(folder);
});

test.each([
  ["no folder", "file", "ENOTDIR"],
  ["not there", "none", "ENOENT"],
])("of what is %s are told with the system's error", async (_, name, code) => {
  fs.writeFileSync(join(folder, "file"), "");
  await expect(namesOf(join(folder, name))).rejects.toMatchObject({ code });
});
