import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { fds, fields, json, system } from "../support/command-line.ts";
import { diff, root, useSets } from "../support/fds-sets.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useSets();

/* Folders and patterns on the command line: pulling, saving, listing and verifying sets. */

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
    // The patterns make each event of this download larger than 1 MiB.
    const long = Array.from({ length: 100 }, (_, n) => `${n}-${"\u0001".repeat(1_000)}`);
    const args = [...long.slice(1), "logs/", ...long.flatMap((one) => ["--exclude", one])];
    const outcome = await fds(["pull", "site-1", ...args]);
    expect(outcome).toMatchObject({ exitCode: 0 });
    expect(fields(outcome)[0]?.at(-4)).toBe("22");
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
