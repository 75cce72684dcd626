import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localPath } from "../../../lib/cli/rest/local-path.ts";
import { spawnSync } from "../../support/spawn.ts";

const isPosix = process.platform !== "win32";

let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "fds-local-path-"));
  await mkdir(join(base, "folder"));
  await mkdir(join(base, "folder/sub"));
  await writeFile(join(base, "file"), "x");
  if (!isPosix) return;
  spawnSync(["mkfifo", join(base, "fifo")]);
  await symlink("file", join(base, "to-file"));
  await symlink("folder", join(base, "to-folder"));
  await symlink("nothing", join(base, "to-nothing"));
  await symlink("to-itself", join(base, "to-itself"));
});
afterAll(() => rm(base, { recursive: true, force: true }));

const pathOf = async (output: string, filePath = "logs/day.log") =>
  (await localPath(join(base, output), filePath)).slice(base.length + 1);

describe("a file is saved", () => {
  test.each([
    ["under the name that was given", "new.txt", "a.log", "new.txt"],
    ["where the same may be already", "file", "a.log", "file"],
    ["in a folder under its own name", "folder", "logs/day.log", "folder/day.log"],
    ["in a folder, from Windows", "folder", String.raw`C:\logs\day.log`, "folder/day.log"],
    ["never out of the folder", "folder", "logs/..", "folder/file"],
    ["under a name that every disk can hold", "folder", 'a:b?"c.log', "folder/a_b__c.log"],
    ["under one that shows what it is", "folder", "\u202egpj.exe\x1b", "folder/gpj.exe"],
    [
      "under one that is short enough",
      "folder",
      `${"é".repeat(150)}.log`,
      `folder/${"é".repeat(98)}.log`,
    ],
  ])("%s", async (_, output, filePath, expected) => {
    expect((await pathOf(output, filePath)).replaceAll("\\", "/")).toBe(expected);
  });

  test.if(isPosix)("by way of links (needs POSIX)", async () => {
    expect(await pathOf("to-file")).toBe("to-file");
    expect(await pathOf("to-folder")).toBe("to-folder/day.log");
  });
});

describe("it is refused before anything is pulled", () => {
  const problemOf = (output: string, filePath?: string) =>
    pathOf(output, filePath).then(
      () => "no problem",
      (error: Error) => error.message,
    );

  test.each([
    ["a folder that is not there", "none/file", /^make the folder ".+none" first/],
    ["a folder that is not there, as one", "none/", /^make the folder ".+none\/" first/],
    ["a file in place of a folder", "file/x", /^make the folder/],
    ["a name that no disk can hold", "x".repeat(300), /^pass another -o: this disk cannot hold/],
  ])("%s", async (_, output, expected) => {
    expect(await problemOf(output)).toMatch(expected);
  });

  test("a folder of the file's own name", async () => {
    expect(await problemOf("folder", "a/sub")).toMatch(/no regular file$/);
  });

  test.if(isPosix).each(["fifo", "to-nothing", "to-itself", "../../dev/null"])(
    "%s (needs POSIX)",
    async (output) => {
      expect(await problemOf(output)).toMatch(/^pass another -o, or "-" for .+ no regular file$/);
    },
  );
});
