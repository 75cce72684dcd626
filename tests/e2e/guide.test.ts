import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ON_S3 } from "../support/backend.ts";
import { CLIENTS, FILE, guide, original, system, useGuide } from "../support/guide.ts";
import { runProgram } from "../support/operator.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useGuide();

/** Returns how often a part occurs in a text. */
const countOf = (text: string, part: string) => text.split(part).length - 1;

describe("through a pipe", () => {
  test("the menu has the twelve choices", async () => {
    const titles = (await guide(["12"])).matchAll(/^ +(\d+) {2}(\S.+)$/gm);
    expect([...titles].map(([, number, title]) => `${number} ${title}`)).toEqual([
      "1 Check system health",
      "2 List connected clients",
      "3 Download from restaurant-001",
      "4 Download from restaurant-002",
      "5 Download from restaurant-003",
      "6 Download from all clients (at once)",
      "7 Check download status",
      "8 Verify downloaded files (checksums)",
      "9 View server logs",
      "10 View client logs",
      "11 Clean up downloads (asks first)",
      "12 Exit",
    ]);
  });

  test("s tells of the schedules, and who did not deliver", async () => {
    expect(await guide(["s", "12"])).toContain("No schedule yet");
    const job = { clients: { ids: CLIENTS.slice(0, 1) }, download: { file_path: "nothing.txt" } };
    await system.api.createSchedule({
      name: "nightly",
      cron: "30 2 29 2 *",
      due: { after: "1s" },
      job,
    });
    await system.api.runSchedule("nightly", {});
    await waitFor(
      async () => (await system.api.schedule("nightly")).latest?.counts.missing === 1,
      "it to be missing",
    );
    const text = await guide(["s", "12"]);
    expect(text).toMatch(/^nightly +30 2 29 2 \*/m);
    expect(text).toMatch(/Missing of nightly\n.*\nrestaurant-001 /);
    await system.api.deleteSchedule("nightly");
  });

  test("1 and 2 tell how the server is, and its clients", async () => {
    const text = await guide(["1", "2", "12"]);
    expect(text).toMatch(/status +✓ healthy/);
    expect(text).toMatch(/clients +3 connected/);
    for (const id of CLIENTS) expect(text).toMatch(new RegExp(`^${id} +● connected`, "m"));
  });

  test.each([
    ["3", "restaurant-001"],
    ["4", "restaurant-002"],
    ["5", "restaurant-003"],
  ])("%s pulls from %s", async (choice, id) => {
    const text = await guide([choice, "12"]);
    expect(text).toContain(`✓ ${id}`);
    expect(text).toContain(original.md5);
    const { downloads } = await system.api.downloads({ limit: "1" });
    expect(downloads).toMatchObject([{ client_id: id, status: "completed" }]);
  });

  test("6 pulls from all", async () => {
    const text = await guide(["6", "12"]);
    for (const id of CLIENTS) expect(text).toContain(`✓ ${id}`);
    const { downloads } = await system.api.downloads({ limit: "3" });
    expect(downloads.map(({ client_id }) => client_id).toSorted()).toEqual(CLIENTS);
    expect(downloads.map(({ status }) => status)).toEqual(Array(3).fill("completed"));
  });

  test("7 offers the latest downloads, and takes an id as well", async () => {
    const latest = await system.pull("missing.txt", "restaurant-002");
    const { error } = await system.ended(latest);
    const text = await guide(["7", "1", "7", latest, "7", "", "7", "nonsense", "12"]);
    expect(text).toMatch(
      /^ {2}1 {2}restaurant-002 {2}failed \(file_not_found\) {2}.* {2}missing.txt$/m,
    );
    expect(text.match(new RegExp(`download +${latest}`, "g"))).toHaveLength(2);
    expect(countOf(text, error ?? "no error")).toBe(2);
    expect(text).toContain('✗ ID is "nonsense"');
  });

  test("8 shows all sums of a file, and finds one that was altered", async () => {
    const { saved_path } = await system.ended(await system.pull(FILE, "restaurant-003"));
    const path = join(system.folder, "downloads", saved_path ?? "");
    const right = await guide(["8", "12"]);
    expect(right).toContain(`✓ ${saved_path}`);
    const { md5 } = original;
    expect(right).toContain(`on disk   ${md5}\n    recorded  ${md5}\n    original  ${md5}\n`);
    expect(right).toMatch(/^\d+ files? verified$/m);

    await writeFile(path, "altered");
    const wrong = await guide(["8", "12"]);
    expect(wrong).toContain(`✗ ${saved_path}`);
    expect(wrong).toContain(
      `on disk   ${new Bun.CryptoHasher("md5").update("altered").digest("hex")}`,
    );
    expect(wrong).toMatch(/^1 of \d+ files not as it should be$/m);
  });

  test("11 asks first, and removes only what was published", async () => {
    const stray = join(system.folder, "downloads/restaurant-001/notes.txt");
    await mkdir(join(system.folder, "downloads/restaurant-001"), { recursive: true });
    await writeFile(stray, "mine");
    const before = await system.published();
    expect(await guide(["11", "n", "12"])).toContain("Nothing was removed");
    expect(await system.published()).toEqual(before);
    expect(await guide(["11", "y", "12"])).toContain(`${before.length - 1} files removed`);
    expect(await system.published()).toEqual(["restaurant-001/notes.txt"]);
    // The records in the database are still there, and no part files are left.
    expect((await system.api.downloads()).downloads).not.toBeEmpty();
    await system.expectNoParts();
    expect(await readFile(stray, "utf8")).toBe("mine");
    expect(await guide(["11", "12"])).toContain("There is nothing to remove");
    await rm(stray);
  });

  test.skipIf(ON_S3 !== "")(
    `what 11 removed is known as removed to 8, and to fds verify${ON_S3}`,
    async () => {
      await system.ended(await system.pull(FILE, "restaurant-001"));
      await guide(["11", "y", "12"]);
      const { saved_path } = await system.ended(await system.pull(FILE, "restaurant-001"));
      const text = await guide(["8", "12"]);
      expect(text).toMatch(/^1 file verified, \d+ removed$/m);
      expect(text).not.toContain("✗");
      // The guide shows checksums only for the second file, because the first one was removed.
      expect(text.match(/recorded/g)).toHaveLength(1);
      const verify = () => runProgram(system, ["fds", "verify", "--json"]);
      const { exitCode, stdout } = await verify();
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ verified: 1, wrong: 0 });
      // A file that was deleted by hand, not by the guide, is still reported as missing.
      await rm(join(system.folder, "downloads", saved_path ?? ""));
      expect(await guide(["8", "12"])).toMatch(/^1 of 1 file not as it should be, \d+ removed/m);
      expect((await verify()).exitCode).toBe(1);
    },
  );

  test.skipIf(ON_S3 !== "")(
    `11 removes sets whole, with their checksums, and 8 does not miss them${ON_S3}`,
    async () => {
      const { download_id } = await system.api.startDownload({
        client_id: "restaurant-001",
        paths: [FILE, "no-*"],
      });
      const { saved_path } = await system.ended(download_id);
      expect(await guide(["8", "12"])).toContain(`✓ ${saved_path}  1 file\n`);
      await guide(["11", "y", "12"]);
      expect(await system.published()).toEqual([]);
      expect(await guide(["8", "12"])).not.toContain(saved_path!);
    },
  );

  test("a wrong choice is answered, and is not the end", async () => {
    const text = await guide(["0", "13", "", "one", "\x1b[2J", "1", "12"]);
    expect(countOf(text, "✗ Type a number from 1 to 12")).toBe(5);
    expect(text).toContain("✓ healthy");
  });

  test.each([
    ["at once", []],
    ["in the middle of a question", ["7"]],
    ["before an answer that would remove files", ["11"]],
  ])("the end of the input %s is a way to leave", async (_, lines) => {
    expect(await guide(lines)).toEndWith("Bye. Downloads under way go on at the server.\n");
  });

  test("without a server it says how to start one, and goes on", async () => {
    const env = { SERVER_URL: "http://127.0.0.1:1" };
    const text = await guide(["1", "3", "6", "8", "12"], { env });
    expect(countOf(text, '✗ no server answers at "http://127.0.0.1:1"')).toBe(4);
    expect(text).toContain("bun run demo --keep");
  });

  test("a client that is not there is told, with the way to start it", async () => {
    await using other = await System.start();
    const outcome = await runProgram(other, ["guide"], { input: "3\n6\n7\n2\n9\n10\n12\n" });
    expect(outcome.exitCode).toBe(0);
    expect(outcome.stdout).toContain('start it with "bun run client --id restaurant-001"');
    expect(outcome.stdout).toContain("No client is connected");
    expect(outcome.stdout).toContain("No downloads yet");
    expect(outcome.stdout).toContain("No client ever registered");
  });
});

test("--help, and mistakes", async () => {
  const help = await runProgram(system, ["guide", "--help"]);
  expect(help).toMatchObject({ exitCode: 0, stderr: "" });
  expect(help.stdout).toContain("bun run guide");
  const wrong = await runProgram(system, ["guide", "--colour"]);
  expect(wrong).toMatchObject({ exitCode: 2, stdout: "" });
  expect(wrong.stderr).toMatch(/^error: unknown flag "--colour".+\n$/);
});
