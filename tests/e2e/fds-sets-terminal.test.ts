import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { fds, json, saved, system } from "../support/command-line.ts";
import { useSets } from "../support/fds-sets.ts";
import { Screen } from "../support/operator.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useSets();

/* How `fds` shows sets at a terminal. */

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
    // The large file of 3 MB is sent first, which takes three seconds at 1 MiB/s.
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
