import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SetFiles } from "../../../lib/client/sets/set-files.ts";
import { Roots, type RootsOptions } from "../../../lib/client/owner-rules/roots.ts";
import { spawnSync } from "../../support/spawn.ts";

/* The files of a set that a client sends. It checks each file again, whatever it listed earlier. */

let base: string;
let site: string;

beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), "fds-set-files-"));
  site = join(base, "site");
  fs.mkdirSync(join(site, "folder"), { recursive: true });
  fs.writeFileSync(join(base, "treasure"), "treasure");
  fs.writeFileSync(join(site, "folder/file"), "inside");
  fs.writeFileSync(join(site, ".hidden"), "");
  fs.writeFileSync(join(site, "folder/empty"), "");
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

/** Opens files one after the other. @returns each file's content, or its error code */
async function open(paths: string[], options: RootsOptions & { root?: number } = {}) {
  const { root = 0 } = options;
  const roots = await Roots.open(
    [site, ...(fs.existsSync("/proc/self") ? ["/proc"] : [])],
    options,
  );
  using files = new SetFiles(await roots.pathCheck());
  return paths.map((path) => {
    try {
      using file = files.open({ index: 0, path, root });
      return fs.readFileSync(file.fd, "utf8");
    } catch (error) {
      return (error as { code: string }).code;
    }
  });
}

test.each([
  ["folder/file", "inside"],
  ["folder/empty", ""],
  ["no-such", "file_not_found"],
  ["folder/file/x", "file_not_found"],
  ["folder", "not_a_regular_file"],
  ["n".repeat(300), "file_not_found"],
  [".hidden", "access_denied"],
  ["denied", "access_denied"],
  ["../treasure", "access_denied"],
  ["folder/../../treasure", "access_denied"],
  ["/etc/passwd", "access_denied"],
  ["folder//file", "access_denied"],
  ["./folder/file", "access_denied"],
  ["folder/file\0", "access_denied"],
  ["", "access_denied"],
])("%j gives %s", async (path, answer) => {
  expect(await open([path, "folder/file"], { deny: ["denied"] })).toEqual([answer, "inside"]);
});

test("no root of that number: nothing", async () => {
  expect(await open(["folder/file"], { root: 9 })).toEqual(["access_denied"]);
});

describe.skipIf(process.platform === "win32")(
  "what took a file's place since it was listed",
  () => {
    test.each([
      [
        "a link",
        "file_unreadable",
        () => fs.symlinkSync("../../treasure", join(site, "folder/file")),
      ],
      ["a FIFO", "not_a_regular_file", () => spawnSync(["mkfifo", join(site, "folder/file")])],
      ["a folder", "not_a_regular_file", () => fs.mkdirSync(join(site, "folder/file"))],
      ["nothing", "file_not_found", () => undefined],
    ])("%s: %s", async (_, answer, put) => {
      fs.rmSync(join(site, "folder/file"));
      put();
      expect(await open(["folder/file", "folder/empty"])).toEqual([answer, ""]);
    });

    test("a link in the place of its folder", async () => {
      fs.renameSync(join(site, "folder"), join(base, "outside"));
      fs.symlinkSync("../outside", join(site, "folder"));
      const [answer] = await open(["folder/file"]);
      expect(["file_not_found", "file_unreadable"]).toContain(answer!);
    });
  },
);

test.skipIf(!fs.existsSync("/proc/self"))(
  "what the system makes up when it is read is no file",
  async () => {
    const paths = [`${process.pid}/status`, "version"];
    const answers = ["not_a_regular_file", "not_a_regular_file"];
    expect(await open(paths, { root: 1 })).toEqual(answers);
  },
);
