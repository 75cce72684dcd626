import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ON_S3 } from "../support/backend.ts";
import { runProgram, type RunOptions, Screen } from "../support/operator.ts";
import { Proxy } from "../support/proxy.ts";
import { type Version, writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const FILE = "file_to_download.txt";
const CLIENTS = ["restaurant-001", "restaurant-002", "restaurant-003"];

/** A server and the three restaurants, all of which serve the same file. */
let system: System;
let original: Version;

beforeAll(async () => {
  system = await System.start();
  original = await writeRandom(system.source(FILE), 3 * 1024 * 1024);
  // Slow enough that a bar is drawn more than once.
  const env = { RATE_LIMIT: "4MiB" };
  await Promise.all(CLIENTS.map((id) => system.startClient({ id, env })));
  const sums = CLIENTS.map((id) => `${original.md5}  test-files/${id}/${FILE}\n`);
  await writeFile(join(system.folder, "checksums.txt"), sums.join(""));
});
afterAll(() => system[Symbol.asyncDispose]());

/** Runs the guide with these lines as its input. */
async function guide(lines: string[], options: RunOptions = {}): Promise<string> {
  const input = lines.map((line) => `${line}\n`).join("");
  const outcome = await runProgram(system, ["guide"], { input, ...options });
  expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
  expect(outcome.stdout).not.toContain("\x1b");
  return outcome.stdout;
}

/** How often something is there. */
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
    // the database of the server, and all that is under way
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
      // sums of what is there, and of nothing else
      expect(text.match(/recorded/g)).toHaveLength(1);
      const verify = () => runProgram(system, ["fds", "verify", "--json"]);
      const { exitCode, stdout } = await verify();
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ verified: 1, wrong: 0 });
      // what nobody chose to remove is missing as ever
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

/** A program that answers as docker-compose does, for a server and two restaurants. */
const COMPOSE = `#!/bin/sh
test "$1" = compose && shift
case "$*" in
  "ps --services --filter status=running")
    printf 'client-restaurant-002\\nserver\\nclient-restaurant-001\\n' ;;
  "logs --no-color --no-log-prefix --tail=50 "*)
    for last; do :; done
    seq -f "$last line %.0f" 60 ;;
  *) exit 1 ;;
esac
`;

const onPosix = test.skipIf(process.platform === "win32");

describe("logs of docker-compose (needs POSIX)", () => {
  /** The settings with which a program of this name is found first. */
  async function withProgram(name: string): Promise<RunOptions> {
    const folder = join(system.folder, `bin-${name}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, name), COMPOSE);
    await chmod(join(folder, name), 0o755);
    return { env: { PATH: `${folder}:/usr/bin:/bin` } };
  }

  onPosix.each(["docker", "docker-compose"])("9 and 10 by %s", async (name) => {
    const text = await guide(
      ["9", "10", "restaurant-002", "10", "1", "12"],
      await withProgram(name),
    );
    expect(text).toContain("server line 60\n");
    expect(text).toContain("client-restaurant-002 line 60\n");
    expect(text).toContain("client-restaurant-001 line 60\n");
    expect(text).toContain("server line 11\n");
    expect(text).not.toContain("server line 10\n");
  });

  onPosix("10 knows only the clients that run", async () => {
    const text = await guide(["10", "restaurant-009", "10", "", "12"], await withProgram("docker"));
    expect(text).toContain('There is no log of "restaurant-009"');
    expect(text).not.toContain("line 60");
  });
});

describe("at a terminal (needs POSIX)", () => {
  onPosix.each([80, 50])("%d columns: the menu and all three bars", async (columns) => {
    await using screen = new Screen(system, ["guide"], { columns });
    const menu = await screen.shows(/Your choice \(1-12\): /);
    screen.type("6\n");
    const result = await screen.shows(/Your choice \(1-12\): /);
    for (const id of CLIENTS)
      expect(result).toMatch(new RegExp(`^${id} +━+ +100%.* completed`, "m"));
    // the bars are redrawn where they are
    expect(screen.raw).toContain("\x1b[3A\x1b[J");
    const widths = menu.split("\n").map((line) => Bun.stringWidth(line));
    expect(Math.max(...widths)).toBeLessThanOrEqual(columns);
    screen.type("12\n");
    expect(await screen.ended()).toBe(0);
  });

  test.skipIf(process.platform === "win32" || ON_S3 !== "")(
    `24 rows of 80 columns show each result with its title, and how to get the menu back${ON_S3}`,
    async () => {
      await system.ended(await system.pull("missing.txt", "restaurant-002"));
      await using screen = new Screen(system, ["guide"], { rows: 24 });
      await screen.shows(/Your choice \(1-12\): /);
      expect(screen.visible).toContain("File Download System");
      const see = async (keys: string[], ...expected: string[]) => {
        for (const [index, key] of keys.entries()) {
          screen.type(`${key}\n`);
          await screen.shows(index + 1 < keys.length ? /: $/ : /Your choice \(1-12\): $/);
        }
        for (const text of [...expected, "m shows the menu again"]) {
          expect(screen.visible).toContain(text);
        }
      };
      await see(["1"], "Check system health", "✓ healthy", "3 connected");
      await see(["2"], "List connected clients", ...CLIENTS);
      await see(["3"], "Download from restaurant-001", "✓ restaurant-001", original.md5);
      await see(["6"], "Download from all clients", ...CLIENTS.map((id) => `✓ ${id}`));
      await see(["7", "1"], "status", "completed", "saved as");
      expect(screen.visible).toMatch(
        /\d {2}restaurant-00. {2}completed {2}.* ago {2}file_to_download/,
      );
      // with three lines for each file
      await writeRandom(system.source("small.txt"), 1000);
      for (let n = 0; n < 6; n++) await system.ended(await system.pull("small.txt", CLIENTS[0]));
      await see(["8"], "Verify downloaded files", "more lines: bun run fds verify", "on disk");
      screen.type("m\n");
      await screen.shows(/12 {2}Exit\s+Your choice \(1-12\): $/);
      expect(screen.visible).toContain("File Download System");
    },
  );

  onPosix.each([
    ["Ctrl-C at the menu", "\x03", []],
    ["Ctrl-C at a question", "\x03", ["7"]],
    ["the end of input", "\x04", []],
  ])("%s leaves", async (_, key, choices) => {
    await using screen = new Screen(system, ["guide"]);
    await screen.shows(/Your choice \(1-12\): /);
    for (const choice of choices) {
      screen.type(`${choice}\n`);
      await screen.shows(/Which one\?.+: /);
    }
    screen.type(key);
    await screen.shows(/Bye\./);
    expect(await screen.ended()).toBe(0);
  });

  onPosix(
    "Ctrl-C during a pull leaves, gives the cursor back, and the download goes on",
    async () => {
      await using other = await System.start();
      await writeRandom(other.source(FILE), 1024 * 1024);
      await using proxy = await Proxy.listen(other.port);
      await other.startClient({ id: "restaurant-001", server: proxy.url });
      proxy.hold("up");
      await using screen = new Screen(other, ["guide"]);
      await screen.shows(/Your choice \(1-12\): /);
      screen.type("3\n");
      await screen.shows(/restaurant-001 +━+/);
      screen.type("\x03");
      await screen.shows(/Bye\./);
      expect(await screen.ended()).toBe(0);
      expect(screen.raw).toContain("\x1b[?25h");
      const { downloads } = await other.api.downloads();
      expect(downloads).toMatchObject([{ client_id: "restaurant-001", error: null }]);
    },
  );

  onPosix("NO_COLOR is obeyed", async () => {
    await using screen = new Screen(system, ["guide"], { env: { NO_COLOR: "1" } });
    await screen.shows(/Your choice \(1-12\): /);
    screen.type("1\n2\n12\n");
    expect(await screen.ended()).toBe(0);
    expect(screen.raw).not.toContain("\x1b");
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
