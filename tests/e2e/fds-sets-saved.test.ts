import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readdir, readFile, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fds, json, saved, system } from "../support/command-line.ts";
import { diff, LONG_AGO, root, useSets } from "../support/fds-sets.ts";
import { Proxy } from "../support/proxy.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useSets();

/* `fds pull -o`: sets that the command line saves on this machine. */

describe("fds pull -o", () => {
  const pull = (...args: string[]) => fds(["pull", "site-1", "logs/", "-o", saved, ...args]);

  test("saves each file where it lies in its folder, with its time", async () => {
    const target = join(saved, "new");
    const result = await json("pull", "site-1", "logs/", "-o", target);
    expect(result).toMatchObject({
      local_path: target,
      local_files: { saved: 22, present: 0, failed: 0 },
    });
    expect(diff(join(target, "logs"), join(root, "logs"))).toBe("");
    expect((await stat(join(target, "logs/day-5.log"))).mtimeMs).toBe(LONG_AGO * 1000);
  });

  test("fetches only what is not there, and nothing of what is", async () => {
    expect(await pull()).toMatchObject({ exitCode: 0 });
    const untouched = await stat(join(saved, "logs/deep/large.bin"));
    await unlink(join(saved, "logs/day-7.log"));
    const { stdout, exitCode } = await pull("--json");
    expect({ exitCode, ...JSON.parse(stdout) }).toMatchObject({
      exitCode: 0,
      local_files: { saved: 1, present: 21, failed: 0 },
    });
    expect((await stat(join(saved, "logs/deep/large.bin"))).ctimeMs).toBe(untouched.ctimeMs);
  });

  test("goes on where it broke off, over a restart of the server", async () => {
    await using proxy = await Proxy.listen(system.port);
    // The proxy is slow, so that fds reads all bytes before the cut: a TCP reset discards bytes that were not
    // read.
    proxy.shape({ bytesPerSecond: 4_000_000 });
    // The cut comes while the large file is being saved, because all other answers have fewer bytes than
    // this.
    const broken = proxy.after("down", 2_000_000, () => {
      system.server.signal("SIGKILL");
      proxy.cut("rst");
    });
    const result = pull("--json", "--server", proxy.url);
    await broken;
    await system.restartServer();
    const { stdout, exitCode } = await result;
    expect({ exitCode, ...JSON.parse(stdout) }).toMatchObject({
      exitCode: 0,
      local_files: { saved: 22, present: 0, failed: 0 },
    });
    expect(diff(join(saved, "logs"), join(root, "logs"))).toBe("");
    expect(proxy.carried.down).toBeLessThan(4_000_000);
  });

  test("never takes the place of another file, and brings all others", async () => {
    await mkdir(join(saved, "logs"));
    await writeFile(join(saved, "logs/day-3.log"), "mine");
    const { exitCode, stderr } = await pull();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: 1 of 22 files not saved: move ".+day-3\.log" away/m);
    expect(await readFile(join(saved, "logs/day-3.log"), "utf8")).toBe("mine");
    expect(await readdir(join(saved, "logs"))).toHaveLength(21);
  });

  test.each([
    ["a link in the place of a folder", "logs", 22],
    ["a link in the place of a folder further down", "logs/deep", 2],
    ["a link in the place of a file", "logs/day-9.log", 1],
  ])("follows no link: %s", async (_, name, failed) => {
    const outside = join(saved, "outside");
    await mkdir(outside);
    const target = join(saved, "target");
    await mkdir(join(target, name, ".."), { recursive: true });
    await symlink(outside, join(target, name));
    const { exitCode, stderr } = await fds(["pull", "site-1", "logs/", "-o", target]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${failed} of 22 files not saved: move "${join(target, name)}" away`);
    expect(await readdir(outside)).toEqual([]);
  });

  test("is for a folder: a file there, or no folder above it, is said before anything is pulled", async () => {
    const before = await json("downloads");
    await writeFile(join(saved, "file"), "");
    for (const [path, message] of [
      [join(saved, "file"), "pass a folder as -o: "],
      [join(saved, "no/folder"), `make the folder "${join(saved, "no")}" first`],
    ] as const) {
      const { exitCode, stderr } = await fds(["pull", "site-1", "logs/", "-o", path]);
      expect(exitCode).toBe(1);
      expect(stderr).toStartWith(`error: ${message}`);
    }
    expect(await json("downloads")).toEqual(before);
  });
});
