import { expect, test } from "bun:test";
import { chown, link, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chownToImageUser, containerUser } from "../../../lib/cli/setup/container-user.ts";
import { spawnSync } from "../../support/spawn.ts";

test.each<[NodeJS.Platform, number | undefined, string | null]>([
  ["linux", 1000, "1000:100"],
  ["linux", 1001, "1001:100"],
  ["linux", 0, null],
  ["darwin", 501, null],
  ["win32", undefined, null],
])("on %s, for user %p, the containers run as %p", (platform, uid, expected) => {
  expect(containerUser(platform, uid, 100)).toBe(expected);
});

const isRootOnLinux = process.platform === "linux" && process.getuid?.() === 0;

/** A user id other than those of root and of the user in the container images. */
const OTHER = 4711;

test.skipIf(!isRootOnLinux)(
  "root gives what it owns, however deep, and nothing else (needs root on Linux)",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fds-container-user-"));
    const inFolder = (name: string) => join(folder, name);
    try {
      await mkdir(inFolder("downloads/.server/parts"), { recursive: true });
      await writeFile(inFolder("downloads/.server/parts/part"), "");
      await writeFile(inFolder("downloads/theirs"), "");
      await chown(inFolder("downloads/theirs"), OTHER, OTHER);
      await mkdir(inFolder("elsewhere"));
      await symlink("../elsewhere", inFolder("downloads/link"));
      await symlink("downloads", inFolder("way"));
      await writeFile(inFolder("elsewhere/of-the-system"), "");
      await link(inFolder("elsewhere/of-the-system"), inFolder("downloads/second-name"));
      spawnSync(["mkfifo", inFolder("downloads/fifo")]);

      expect(await chownToImageUser(inFolder("way"))).toEqual({
        changed: 4,
        skipped: [inFolder("way/second-name")],
      });

      const owner = async (name: string) => {
        const { uid, gid } = await lstat(inFolder(name));
        return `${uid}:${gid} ${name}`;
      };
      const names = ["", "/.server", "/.server/parts", "/.server/parts/part"];
      for (const name of names.map((end) => `downloads${end}`)) {
        expect(await owner(name)).toBe(`1000:1000 ${name}`);
      }
      expect(await owner("downloads/theirs")).toBe(`${OTHER}:${OTHER} downloads/theirs`);
      const kept = ["elsewhere", "elsewhere/of-the-system", "way", "downloads/link"];
      for (const name of kept) expect(await owner(name)).toBe(`0:0 ${name}`);
      expect(await chownToImageUser(inFolder("way"))).toMatchObject({ changed: 0 });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
