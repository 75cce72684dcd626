import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cp, mkdir, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fds, fields, json, saved, system } from "../support/command-line.ts";
import { useSets } from "../support/fds-sets.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useSets();

/* `fds verify` for sets. */

/** Copies a folder, and restores it from the copy when the returned object is disposed. */
async function put(folder: string): Promise<AsyncDisposable> {
  const copy = join(system.folder, "copy");
  await cp(folder, copy, { recursive: true });
  return {
    [Symbol.asyncDispose]: async () => {
      await rm(folder, { recursive: true, force: true });
      await rename(copy, folder);
    },
  };
}

describe("fds verify", () => {
  let set: string;
  /** The folder of the set on the disk. */
  let folder: string;
  beforeAll(async () => {
    await rm(join(system.folder, "downloads/site-1"), { recursive: true, force: true });
    set = (await json("pull", "site-1", "logs/", "mixed/")).saved_path;
    folder = join(system.folder, "downloads", set);
  });

  /** Runs `fds verify`. @returns its exit code, and every file whose verdict is not "ok" */
  async function wrong(...flags: string[]) {
    const { exitCode, stdout } = await fds(["verify", "--json", "--ignore-missing", ...flags]);
    const { files, verified } = JSON.parse(stdout);
    const others = files.filter(({ verdict }: Record<string, string>) => verdict !== "ok");
    return {
      exitCode,
      verified,
      wrong: others.map(({ path, verdict }: Record<string, string>) => [path, verdict]),
    };
  }

  test("is content with a set, and says how many files it has", async () => {
    expect(await wrong()).toEqual({ exitCode: 0, verified: 23, wrong: [] });
    const lines = fields(await fds(["verify", "--ignore-missing"]));
    expect(lines).toContainEqual(["ok", expect.any(String), expect.any(String), "", set, "23"]);
  });

  test.each<[string, string, string, (path: string) => Promise<unknown>]>([
    ["a byte that was altered", "logs/day-3.log", "altered", (path) => writeFile(path, "xxy")],
    ["a file that nobody pulled", "logs/stray.txt", "unknown", (path) => writeFile(path, "stray")],
    [
      "a file that nobody can read",
      "logs/day-4.log/",
      "unreadable",
      async (path) => {
        await unlink(path.slice(0, -1));
        await mkdir(path);
      },
    ],
  ])("finds %s", async (...[, name, verdict, spoil]) => {
    await using _ = await put(folder);
    await spoil(join(folder, name));
    const { exitCode, wrong: found } = await wrong();
    expect({ exitCode, found }).toEqual({
      exitCode: 1,
      found: [[`${set}/${name.replace(/\/$/, "")}`, verdict]],
    });
  });

  test("finds a file that is missing, and can be told that this is meant", async () => {
    await using _ = await put(folder);
    await unlink(join(folder, "logs/deep/large.bin"));
    const { exitCode, stdout, stderr } = await fds(["verify"]);
    expect(exitCode).toBe(1);
    const lines = fields({ exitCode, stdout, stderr });
    expect(lines.find(([, , , , path]) => path === `${set}/logs/deep/large.bin`)?.[0]).toBe(
      "missing",
    );
    expect(await wrong()).toEqual({ exitCode: 0, verified: 22, wrong: [] });
  });

  test("finds checksums that were altered", async () => {
    const sums = await readFile(`${folder}.md5`, "utf8");
    await writeFile(`${folder}.md5`, sums.replace(/[\da-f]/, "x"));
    expect(await wrong()).toMatchObject({ exitCode: 1, wrong: [[`${set}.md5`, "altered"]] });
    await writeFile(`${folder}.md5`, sums);
  });

  test("compares with the sums of the originals", async () => {
    const sums = join(saved, "sums.txt");
    await writeFile(sums, `${"0".repeat(32)}  test-files/site-1/logs/day-2.log\n`);
    const outcome = await wrong("--checksums", sums);
    expect(outcome).toMatchObject({
      exitCode: 1,
      wrong: [[`${set}/logs/day-2.log`, "not_original"]],
    });
  });

  test("is content with a set of SHA-256, and with one of nothing", async () => {
    const { saved_path } = await json("pull", "site-1", "sales_*", "--checksum", "sha256");
    await json("pull", "site-1", "no-*", "--if-none", "complete");
    expect(await wrong()).toEqual({ exitCode: 0, verified: 25, wrong: [] });
    await rm(join(system.folder, "downloads", saved_path), { recursive: true });
    await rm(join(system.folder, "downloads", `${saved_path}.sha256`));
  });

  test("finds a set that is missing as one", async () => {
    await using _ = await put(folder);
    await rm(folder, { recursive: true });
    const { stdout } = await fds(["verify", "--json"]);
    const missing = JSON.parse(stdout).files.filter(({ path }: Record<string, string>) =>
      path?.startsWith(set),
    );
    expect(missing).toMatchObject([{ path: set, verdict: "missing" }]);
  });
});
