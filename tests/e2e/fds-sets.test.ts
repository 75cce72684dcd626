import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { fds, fields, json, saved, system, useCommandLine } from "../support/command-line.ts";
import { Screen } from "../support/operator.ts";
import { Proxy } from "../support/proxy.ts";
import { spawnSync } from "../support/spawn.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Folders and patterns on the command line: pulled, saved here, looked at and verified. */

const LONG_AGO = 1_700_000_000;

let root: string;

useCommandLine(async () => {
  root = join(system.folder, "root");
  await mkdir(join(root, "logs/deep"), { recursive: true });
  for (let n = 0; n < 20; n++) await writeFile(join(root, "logs", `day-${n}.log`), "x".repeat(n));
  await writeFile(join(root, "logs/deep/large.bin"), Buffer.alloc(3_000_000, "large"));
  await writeFile(join(root, "logs/deep/it's 100% ü.txt"), "odd");
  await utimes(join(root, "logs/day-5.log"), LONG_AGO, LONG_AGO);
  await writeFile(join(root, "sales_1.csv"), "1");
  await writeFile(join(root, "sales_2.csv"), "22");
  await mkdir(join(root, "mixed"));
  await writeFile(join(root, "mixed/good.txt"), "good");
  await writeFile(Buffer.from(`${root}/mixed/caf\xe9.txt`, "latin1"), "");
  await system.startClient();
});

function diff(one: string, other: string): string {
  const run = spawnSync(["diff", "-r", one, other]);
  return run.stdout.toString() + run.stderr.toString();
}

/** Puts a folder back as it was at the end. */
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

describe("fds pull", () => {
  test.each([
    ["a folder", ["logs/"], { paths: ["logs/"], files_received: 22 }],
    ["a pattern", ["sales_*.csv"], { paths: ["sales_*.csv"], files_received: 2 }],
    ["braces", ["sales_{1,9}.csv"], { files_received: 1 }],
    ["a range", ["sales_[12].csv"], { files_received: 2 }],
    ["a name with a character left open", ["sales_?.csv"], { files_received: 2 }],
    ["two files", ["sales_1.csv", "logs/day-5.log"], { files_received: 2 }],
    ["a folder without its slash, with a flag of sets", ["logs", "--strict"], { paths: ["logs"] }],
    [
      "all but some",
      ["logs/", "--exclude", "**/*.log", "--exclude", "**/*.bin"],
      { files_received: 1 },
    ],
    ["what is old enough", ["logs/", "--min-age", "1h"], { files_received: 1, files_skipped: 21 }],
    ["nothing, where that will do", ["no-*", "--if-none", "complete"], { saved_path: null }],
  ])("of %s is one download of many files", async (_, args, record) => {
    expect(await json("pull", "site-1", ...args)).toMatchObject({
      kind: "set",
      status: "completed",
      file_path: null,
      ...record,
    });
  });

  test("in a pipe gives a line with the counts, and says how it goes on standard error", async () => {
    const outcome = await fds(["pull", "site-1", "logs/"]);
    expect(outcome.exitCode).toBe(0);
    const [[status, client, , size, md5, path, ...counts] = []] = fields(outcome);
    expect([status, client, Number(size) > 3_000_000, ...counts]).toEqual([
      "completed",
      "site-1",
      true,
      "22",
      "22",
      "0",
      "0",
    ]);
    expect(outcome.stderr).toMatch(/100% {2}22\/22 files {2}2\.9 MiB/);
    expect(md5).toMatch(/^[\da-f]{32}$/);
    expect(diff(join(system.folder, "downloads", path ?? "", "logs"), join(root, "logs"))).toBe("");
  });

  test("names what was skipped, and why, and fails where it is strict", async () => {
    const args = ["pull", "site-1", "mixed/"];
    const { exitCode, stderr, stdout } = await fds(args);
    expect(exitCode).toBe(0);
    expect(stderr).toContain("site-1: 1 file skipped\n  mixed/caf\uFFFD.txt  name_unusable: ");
    expect(stdout).toEndWith("\t2\t1\t0\t1\n");
    const strict = await fds([...args, "--strict"]);
    expect(strict.exitCode).toBe(1);
    expect(strict.stderr).toMatch(/^error: site-1: failed: .+$/m);
  });

  test("names the patterns that no file matches", async () => {
    const { exitCode, stderr } = await fds(["pull", "site-1", "sales_*.csv", "no-*", "none/"]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('site-1: no file matches "no-*", "none/"\n');
  });

  test("links what is unchanged, where it is told to", async () => {
    await fds(["pull", "site-1", "logs/day-5.log", "logs/day-5.log"]);
    const again = ["pull", "site-1", "logs/day-5.log", "--skip-unchanged"];
    expect(await json(...again)).toMatchObject({ files_unchanged: 1, files_received: 0 });
  });

  test("from all clients", async () => {
    const { downloads } = await json("pull", "--all", "logs/", "sales_*");
    expect(downloads).toMatchObject([{ client_id: "site-1", files_received: 24 }]);
  });

  test.each([
    ["too many files", ["logs/", "--max-files", "3"], "too_many_files"],
    ["too many bytes", ["logs/", "--max-bytes", "1MiB"], "set_too_large"],
    ["nothing", ["no-*"], "file_not_found"],
  ])("of %s fails", async (_, args, error_code) => {
    const { exitCode, stdout } = await fds(["pull", "site-1", ...args, "--json"]);
    expect({ exitCode, ...JSON.parse(stdout) }).toMatchObject({ exitCode: 1, error_code });
  });

  test("of a folder that is asked for like a file says how to ask", async () => {
    const { exitCode, stderr } = await fds(["pull", "site-1", "logs"]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: site-1: failed: .+; of a folder, pull "logs\/"$/m);
  });

  test.each([
    ["a pattern that cannot be read", ["{a"], 'PATTERN: "{a" has a "{" without its "}"'],
    ["one that leads out", ["../*"], 'PATTERN: "../*" leads out'],
    ["an --exclude of that kind", ["a/", "--exclude", "{b"], '--exclude: "{b"'],
    ["one that is too long", ["x/", "a".repeat(1_025)], `PATTERN "${"a".repeat(100)}": must be`],
    ["too many", Array<string>(101).fill("a"), "PATTERN: must be at most 100 patterns"],
    ["no pattern", ["--strict"], "PATTERN is missing"],
    ["a duration that is none", ["a/", "--min-age", "soon"], '--min-age is "soon", expected'],
    ["a number that is none", ["a/", "--max-files", "0"], '--max-files is "0", expected'],
    ["another word", ["a/", "--if-none", "x"], '--if-none is "x", expected one of fail, complete'],
    ["a pipe for many files", ["a/", "-o", "-"], '--output is "-", expected a folder'],
  ])("with %s is a mistake of one line", async (_, args, message) => {
    const { exitCode, stdout, stderr } = await fds(["pull", "site-1", ...args]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toStartWith(`error: ${message}`);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  test("of the longest patterns that there are is followed to its end", async () => {
    // More than 1 MiB in each event.
    const long = Array.from({ length: 100 }, (_, n) => `${n}-${"\u0001".repeat(1_000)}`);
    const args = [...long.slice(1), "logs/", ...long.flatMap((one) => ["--exclude", one])];
    const outcome = await fds(["pull", "site-1", ...args]);
    expect(outcome).toMatchObject({ exitCode: 0 });
    expect(fields(outcome)[0]?.at(-4)).toBe("22");
  });
});

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
    // so slow that all that came was read, as a reset throws away what was not
    proxy.shape({ bytesPerSecond: 4_000_000 });
    // in the middle of the large file: the answers to all other calls are small
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

describe("fds files", () => {
  test("lists what became of each file", async () => {
    const { download_id } = await json("pull", "site-1", "mixed/");
    const { files, next_cursor } = await json("files", download_id.slice(0, 20));
    expect(next_cursor).toBeNull();
    expect(files.map(({ path, status }: Record<string, string>) => [path, status])).toEqual([
      ["mixed/caf\uFFFD.txt", "skipped"],
      ["mixed/good.txt", "received"],
    ]);
    const skipped = fields(await fds(["files", download_id, "--status", "skipped"]));
    expect(skipped).toHaveLength(1);
    const [, , , ...rest] = skipped[0] ?? [];
    const name = "mixed/caf\uFFFD.txt";
    expect(rest).toEqual([name, "", "", "name_unusable", "its name cannot be kept"]);
  });

  test("of one file says where to look", async () => {
    const { download_id } = await json("pull", "site-1", "sales_1.csv");
    const { exitCode, stderr } = await fds(["files", download_id]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`bun run fds status ${download_id}`);
  });
});

describe("fds verify", () => {
  let set: string;
  /** Its folder on the disk. */
  let folder: string;
  beforeAll(async () => {
    await rm(join(system.folder, "downloads/site-1"), { recursive: true, force: true });
    set = (await json("pull", "site-1", "logs/", "mixed/")).saved_path;
    folder = join(system.folder, "downloads", set);
  });

  /** What is not as it should be, and the exit code. */
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

describe("cancel and retry", () => {
  test("of a set that runs end it, leave nothing of it, and bring it after all", async () => {
    const before = await system.published();
    const order = { client_id: "site-1", paths: ["logs/"], rate_limit: 100_000 };
    const { download_id } = await system.api.startDownload(order);
    await waitFor(
      async () => (await system.api.download(download_id)).bytes_received > 0,
      "the first bytes",
    );
    expect(await json("cancel", download_id)).toMatchObject({ status: "cancelled", kind: "set" });
    await waitFor(async () => (await system.parts()).length === 0, "its files to go");
    expect(await system.published()).toEqual(before);
    const again = await json("retry", download_id);
    await json("limit", again.download_id, "off");
    expect(await system.ended(again.download_id)).toMatchObject({ files_received: 22 });
  });

  test("of a set asks for the same again", async () => {
    const { stdout } = await fds(["pull", "site-1", "logs/", "no-*", "--max-files", "3", "--json"]);
    const failed = JSON.parse(stdout);
    const { download_id } = await json("retry", failed.download_id);
    const again = await system.ended(download_id);
    expect(again).toMatchObject({ kind: "set", paths: failed.paths, error_code: "too_many_files" });
  });
});

describe.skipIf(process.platform === "win32")("at a terminal (needs POSIX)", () => {
  test("a set has a bar with files and bytes, what was skipped, and where it lies", async () => {
    await using screen = new Screen(system, [
      "fds",
      "pull",
      "site-1",
      "logs/",
      "mixed/",
      "-o",
      saved,
    ]);
    expect(await screen.ended()).toBe(0);
    const rows = screen.visible.split("\n");
    expect(rows).toContainEqual(expect.stringMatching(/^site-1 .+100% +24\/24 files +2\.9 MiB/));
    expect(rows).toContain("site-1: 1 file skipped");
    expect(rows).toContainEqual(
      expect.stringMatching(/^ {2}mixed\/caf\uFFFD\.txt {2}name_unusable: /),
    );
    expect(rows).toContainEqual(
      expect.stringMatching(/^✓ site-1 {2}24 files, 2\.9 MiB in .+; 23 received, 1 skipped$/),
    );
    const [newest] = (await json("downloads", "--limit", "1")).downloads;
    expect(rows).toContain(`  ${join(system.folder, "downloads", newest.saved_path)}`);
    expect(rows).toContainEqual(expect.stringMatching(/^✓ \/.+ {2}23 files saved, verified$/));
    for (const row of rows) expect(Bun.stringWidth(row)).toBeLessThanOrEqual(80);
  });

  test("lists show a set by its patterns, and how many files it has", async () => {
    const { download_id } = await json("pull", "site-1", "logs/", "mixed/", "sales_*", "no-*");
    await using list = new Screen(system, ["fds", "downloads", "--limit", "1"]);
    expect(await list.ended()).toBe(0);
    expect(list.visible).toMatch(/ ….* \(26\/26\)$/m);
    expect(list.visible).toMatch(/^ {2}↳ 1 of 26 files skipped: fds files [\da-f-]{18} --status/m);
    await using status = new Screen(system, ["fds", "status", download_id]);
    expect(await status.ended()).toBe(0);
    expect(status.visible).toMatch(/patterns +logs\/ {2}mixed\/ {2}sales_\* {2}no-\*/);
    expect(status.visible).toMatch(/no match +no-\*$/m);
    expect(status.visible).toMatch(
      /files +26: 25 received, 1 skipped \(fds files [\da-f-]{18} --status/,
    );
    await using files = new Screen(system, ["fds", "files", download_id, "--status", "skipped"]);
    expect(await files.ended()).toBe(0);
    expect(files.visible).toContain("  ↳ name_unusable: its name cannot be kept");
  });

  test("fds watch shows how many files of a set have come", async () => {
    await using screen = new Screen(system, ["fds", "watch"]);
    await screen.shows(/1 of 1 clients connected/);
    const args = ["logs/", "mixed/", "--rate-limit", "1MiB"];
    const pulled = fds(["pull", "site-1", ...args]);
    // The large file comes first, for three seconds.
    await screen.shows(/downloading .+\(\d+\/24\)/);
    await screen.shows(/completed .+ \(24\/24\)\n +↳ 1 of 24 files skipped/);
    expect((await pulled).exitCode).toBe(0);
  });

  test("a folder is listed in columns that fit", async () => {
    await using screen = new Screen(system, ["fds", "ls", "site-1", "logs"]);
    expect(await screen.ended()).toBe(0);
    const rows = screen.visible.split("\n");
    expect(rows[0]).toMatch(/^name +size +changed +path$/);
    expect(rows).toContainEqual(
      expect.stringMatching(/^day-5\.log +5 B +\d+ d ago +logs\/day-5\.log$/),
    );
    expect(rows).toContainEqual(expect.stringMatching(/^deep\/ +\d+ \w+ ago +logs\/deep$/));
  });
});
