import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  fds,
  fields,
  FILE,
  oneSiteAndOneAway,
  original,
  saved,
  SIZE,
  system,
  useCommandLine,
} from "../support/command-line.ts";
import { writeRandom } from "../support/sources.ts";
import { spawnSync } from "../support/spawn.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* `fds verify`: compares downloaded files with their recorded checksums and with those of the sites. */

useCommandLine(oneSiteAndOneAway);

describe("fds verify", () => {
  /** Makes a completed download for one test. @returns the name and the path of its file */
  async function delivered() {
    const { saved_path } = await system.ended(await system.pull(FILE));
    const name = saved_path ?? "";
    return { name, path: join(system.folder, "downloads", name) };
  }

  /** Runs `fds verify`. @returns its exit code, and its verdict on the file with this name */
  async function verdictOn(name: string, ...flags: string[]) {
    const { exitCode, stdout } = await fds(["verify", "--json", ...flags]);
    const { files } = JSON.parse(stdout);
    const file = files.find(({ path }: { path: string }) => path === name);
    return { exitCode, verdict: file?.verdict ?? null };
  }

  test("is content with what was downloaded", async () => {
    const { name } = await delivered();
    expect(await verdictOn(name)).toEqual({ exitCode: 0, verdict: "ok" });
    const lines = fields(await fds(["verify"]));
    expect(lines).toContainEqual(["ok", original.md5, original.md5, "", name]);
  });

  test("finds a file in which one byte was altered", async () => {
    const { name, path } = await delivered();
    const bytes = await readFile(path);
    bytes[SIZE / 2]! ^= 1;
    await writeFile(path, bytes);
    expect(await verdictOn(name)).toEqual({ exitCode: 1, verdict: "altered" });
    bytes[SIZE / 2]! ^= 1;
    await writeFile(path, bytes);
    expect(await verdictOn(name)).toEqual({ exitCode: 0, verdict: "ok" });
  });

  test("finds a file that nobody downloaded", async () => {
    const name = "site-1/20260101_000000_stray.txt";
    const path = join(system.folder, "downloads", name);
    await writeFile(path, "stray");
    expect(await verdictOn(name)).toEqual({ exitCode: 1, verdict: "unknown" });
    await rm(path);
  });

  test("compares with the sums of the originals", async () => {
    const { name } = await delivered();
    const sums = join(saved, "sums.txt");
    const about = `test-files/site-1/${FILE}`;
    await writeFile(sums, `${original.md5}  ${about}\n`);
    expect(await verdictOn(name, "--checksums", sums)).toEqual({ exitCode: 0, verdict: "ok" });
    await writeFile(sums, `${"0".repeat(32)}  ${about}\n`);
    expect(await verdictOn(name, "--checksums", sums)).toEqual({
      exitCode: 1,
      verdict: "not_original",
    });
  });

  test.skipIf(process.platform === "win32")(
    "compares where a backslash is a part of the name (needs POSIX)",
    async () => {
      const name = String.raw`we\ird.txt`;
      const source = await writeRandom(system.source(name), 1000);
      const { saved_path } = await system.ended(await system.pull(name));
      const sums = join(saved, "sums.txt");
      // For a name with backslashes, md5sum writes one at the start of the line, and doubles those in the
      // name.
      const line = (md5: string) => `\\${md5}  test-files/site-1/we\\\\ird.txt\n`;
      await writeFile(sums, line(source.md5));
      const verdict = () => verdictOn(saved_path ?? "", "--checksums", sums);
      expect(await verdict()).toEqual({ exitCode: 0, verdict: "ok" });
      await writeFile(sums, line("0".repeat(32)));
      expect(await verdict()).toEqual({ exitCode: 1, verdict: "not_original" });
    },
  );

  test("fails where a line of the sums is not understood, and says which", async () => {
    const sums = join(saved, "sums.txt");
    await writeFile(sums, `# sums\n${original.md5}  test-files/site-1/${FILE}\nnonsense\n`);
    const { exitCode, stderr } = await fds(["verify", "--checksums", sums]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`line 3 of ${sums} is not understood, and not compared`);
    const { stdout } = await fds(["verify", "--checksums", sums, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ wrong: 0, strange_lines: [3] });
  });

  test.skipIf(process.platform === "win32")("reads nothing but files (needs POSIX)", async () => {
    const name = "site-1/20260101_000000_fifo";
    const path = join(system.folder, "downloads", name);
    spawnSync(["mkfifo", path]);
    expect(await verdictOn(name)).toEqual({ exitCode: 1, verdict: "unreadable" });
    await rm(path);
  });

  test("finds a file that is missing, and can be told that this is meant", async () => {
    const { name, path } = await delivered();
    const bytes = await readFile(path);
    await rm(path);
    expect(await verdictOn(name)).toEqual({ exitCode: 1, verdict: "missing" });
    expect(await verdictOn(name, "--ignore-missing")).toEqual({ exitCode: 0, verdict: null });
    await writeFile(path, bytes);
  });

  test("says what to pass where there is no such folder", async () => {
    const { exitCode, stderr } = await fds(["verify", "--downloads-dir", join(saved, "none")]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("--downloads-dir");
  });
});
