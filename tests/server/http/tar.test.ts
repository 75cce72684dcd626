import { expect, test } from "bun:test";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "../../support/spawn.ts";
import { TAR_END, tarHeader, tarPadding } from "../../../lib/server/http/tar.ts";

/** Returns a tar archive of these files. The content of each file is its path. */
function archive(paths: string[], mtime = 1_700_000_000): Uint8Array {
  const parts = paths.flatMap((path) => {
    const content = Buffer.from(path);
    const { length: size } = content;
    return [tarHeader({ path, size, mtime }), content, tarPadding(size)];
  });
  return Buffer.concat([...parts, TAR_END]);
}

const PATHS = [
  "a.txt",
  "folder/b.txt",
  "x".repeat(99),
  "x".repeat(100),
  "y".repeat(101),
  `deep/${"d/".repeat(200)}end`,
  "é/ü.csv",
  "😀.log",
  "two  spaces",
  "z".repeat(255),
  ...[85, 86, 87, 88, 89, 90, 91, 92].map((length) => `ä${"n".repeat(length)}`),
];

test.skipIf(!Bun.which("tar"))(
  "an archive is read by the system's tar as it was made",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fds-tar-"));
    try {
      await writeFile(join(folder, "all.tar"), archive(PATHS));
      const unpack = spawnSync(["tar", "-xf", "all.tar"], { cwd: folder });
      expect([unpack.exitCode, unpack.stderr.toString()]).toEqual([0, ""]);
      for (const path of PATHS) {
        expect(await readFile(join(folder, path), "utf8")).toBe(path);
        expect((await stat(join(folder, path))).mtimeMs).toBe(1_700_000_000_000);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

test.skipIf(!Bun.which("tar"))("a size over 8 GiB is told", () => {
  const header = tarHeader({ path: "large", size: 9 * 1024 ** 3, mtime: -5 });
  const list = spawnSync(["tar", "-tvf", "-"], { stdin: header });
  expect(list.stdout.toString()).toContain(` ${9 * 1024 ** 3} `);
});
