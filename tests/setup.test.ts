import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { containerUser } from "../lib/cli/setup/container-user.ts";
import { md5OfFile } from "./support/sources.ts";
import { TEST_LIMIT, waitFor } from "./support/wait.ts";
import { spawn } from "./support/spawn.ts";

setDefaultTimeout(TEST_LIMIT);

const SETUP = join(import.meta.dir, "..", "setup.ts");
const SIZE = 64 * 1024;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-setup-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const path = (id: number) => `test-files/restaurant-00${id}/file_to_download.txt`;
const inFolder = (name: string) => join(folder, name);

function start(...flags: string[]) {
  return spawn([process.execPath, SETUP, ...flags], {
    cwd: folder,
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function run(...flags: string[]) {
  const child = start(...flags);
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, stdout, stderr };
}

/** Runs the setup with small files, and expects success. */
async function setUp(...flags: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run("--size", "64KiB", ...flags);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout;
}

/** Returns for each file of checksums.txt whether its MD5 is right, as `md5sum -c` would. */
async function checkSums(): Promise<Record<string, boolean>> {
  const lines = (await readFile(inFolder("checksums.txt"), "utf8")).trimEnd().split("\n");
  const results = lines.map(async (line) => {
    const [, md5, file = ""] = /^([0-9a-f]{32}) {2}(.+)$/.exec(line) ?? [];
    return [file, (await md5OfFile(inFolder(file))) === md5] as const;
  });
  return Object.fromEntries(await Promise.all(results));
}

const allRight = { [path(1)]: true, [path(2)]: true, [path(3)]: true };

/** Returns the inode numbers and times of files. Some of them change whenever a file is written again. */
async function traces(...names: string[]) {
  const stats = await Promise.all(names.map((name) => stat(inFolder(name), { bigint: true })));
  return stats.map(({ ino, mtimeNs, ctimeNs }) => ({ ino, mtimeNs, ctimeNs }));
}

test.skipIf(process.platform === "win32")(
  "an .env that everybody may read is kept, and told of (needs POSIX)",
  async () => {
    await writeFile(inFolder(".env"), "API_TOKEN=secret\n", { mode: 0o644 });
    const warning =
      'everybody on this machine can read the secret in ".env", run chmod 600 on it\n';
    expect(await setUp("--clients", "1")).toContain(warning);
    await chmod(inFolder(".env"), 0o600);
    expect(await setUp("--clients", "1")).not.toContain("everybody");
  },
);

describe("the first run", () => {
  test("makes everything", async () => {
    await setUp();
    expect((await readdir(folder)).toSorted()).toEqual(
      [".client-state", ".env", "checksums.txt", "downloads", "test-files"].toSorted(),
    );
    expect(await checkSums()).toEqual(allRight);
    const sums = await Promise.all([1, 2, 3].map((id) => md5OfFile(inFolder(path(id)))));
    expect(new Set(sums).size).toBe(3);
    for (const id of [1, 2, 3]) {
      expect((await stat(inFolder(path(id)))).size).toBe(SIZE);
      expect(await readdir(inFolder(`test-files/restaurant-00${id}`))).toHaveLength(1);
    }
  });

  test("makes bytes that do not compress", async () => {
    await setUp("--clients", "1");
    const packed = Bun.zstdCompressSync(await Bun.file(inFolder(path(1))).bytes());
    expect(packed.length).toBeGreaterThan(SIZE * 0.99);
  });

  test("makes an .env that only its owner can read, with tokens of its own", async () => {
    await setUp("--clients", "1");
    const text = await readFile(inFolder(".env"), "utf8");
    expect(text).toMatch(/^API_TOKEN=[0-9a-f]{64}$/m);
    expect(text).toMatch(/^ENROLL_TOKEN=[0-9a-f]{64}$/m);
    expect(new Set(text.match(/[0-9a-f]{64}/g)).size).toBe(2);
    if (process.platform !== "win32") {
      expect((await stat(inFolder(".env"))).mode & 0o777).toBe(0o600);
    }
  });

  test("makes the containers run as a person that is not root, and says whose files are", async () => {
    const stdout = await setUp("--clients", "1");
    const [, user = null] =
      /^CONTAINER_USER=(.+)$/m.exec(await readFile(inFolder(".env"), "utf8")) ?? [];
    expect(user).toBe(containerUser(process.platform, process.getuid?.(), process.getgid?.()));
    // If root runs the setup, the user of the container images gets the folders, and the output says so.
    const isRoot = process.getuid?.() === 0 && process.platform === "linux";
    expect(/^✓ downloads\/ {2}given to user 1000,/m.test(stdout)).toBe(isRoot);
    const owner = isRoot ? 1000 : process.getuid?.();
    for (const name of ["downloads", ".client-state/restaurant-001"]) {
      if (owner !== undefined) expect((await stat(inFolder(name))).uid).toBe(owner);
    }
  });

  test("makes files of a size that is no whole number of pieces", async () => {
    const size = 2 * 1024 ** 2 + 12_345;
    await setUp("--size", String(size), "--clients", "1");
    expect((await stat(inFolder(path(1)))).size).toBe(size);
    expect(await checkSums()).toEqual({ [path(1)]: true });
  });

  test("writes plain lines into a pipe", async () => {
    const stdout = await setUp();
    expect(stdout).not.toMatch(/[\p{Cc}--\n]/v);
    expect(stdout).toContain("restaurant-003  100%  64.0 KiB / 64.0 KiB  made");
    expect(stdout).toEndWith("Next: bun run server\n");
  });
});

describe("another run", () => {
  test("touches nothing that is right", async () => {
    await setUp();
    const everything = [path(1), path(2), path(3), "checksums.txt", ".env"];
    const before = await traces(...everything);
    await setUp();
    expect(await traces(...everything)).toEqual(before);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["has another size", () => writeFile(inFolder(path(2)), "short")],
    ["is damaged", () => writeFile(inFolder(path(2)), Buffer.alloc(SIZE, "x"))],
    ["is gone", () => rm(inFolder(path(2)))],
  ])("makes a file anew that %s, and only that", async (_, damage) => {
    await setUp();
    const others = [path(1), path(3), ".env"];
    const before = await traces(...others);
    await damage();
    await setUp();
    expect(await checkSums()).toEqual(allRight);
    expect((await stat(inFolder(path(2)))).size).toBe(SIZE);
    expect(await traces(...others)).toEqual(before);
  });

  test("makes a file anew whose sum nobody recorded", async () => {
    await setUp();
    const md5 = await md5OfFile(inFolder(path(1)));
    await rm(inFolder("checksums.txt"));
    await setUp();
    expect(await checkSums()).toEqual(allRight);
    expect(await md5OfFile(inFolder(path(1)))).not.toBe(md5);
  });

  test("makes every file anew with --force, but never the .env", async () => {
    await setUp();
    const env = await readFile(inFolder(".env"), "utf8");
    const md5 = await md5OfFile(inFolder(path(1)));
    await setUp("--force");
    expect(await md5OfFile(inFolder(path(1)))).not.toBe(md5);
    expect(await checkSums()).toEqual(allRight);
    expect(await readFile(inFolder(".env"), "utf8")).toBe(env);
  });

  test("leaves an .env of the person alone, even an empty one", async () => {
    await writeFile(inFolder(".env"), "");
    await setUp("--clients", "1");
    expect(await readFile(inFolder(".env"), "utf8")).toBe("");
  });

  test("keeps the sums of other files", async () => {
    await writeFile(inFolder("notes.txt"), "hello\n");
    await writeFile(inFolder("checksums.txt"), "b1946ac92492d2347c6235b4d2611184  notes.txt\n");
    await setUp("--clients", "1");
    expect(await checkSums()).toEqual({ "notes.txt": true, [path(1)]: true });
  });

  test("removes what a killed run left behind", async () => {
    await mkdir(inFolder("test-files/restaurant-001"), { recursive: true });
    await writeFile(inFolder("test-files/restaurant-001/.file_to_download.txt.1.tmp"), "half");
    await setUp("--clients", "1");
    expect(await readdir(inFolder("test-files/restaurant-001"))).toEqual(["file_to_download.txt"]);
  });
});

describe("a run that cannot be", () => {
  test.each<[string, string[], RegExp]>([
    ["an unknown flag", ["--bogus"], /"--bogus".*--size/],
    ["no size", ["--size", "many"], /--size is "many", expected a size/],
    ["size 0", ["--size", "0"], /--size is "0"/],
    ["a size that is missing", ["--size"], /"--size" has no value/],
    ["0 clients", ["--clients", "0"], /--clients is "0", expected a whole number from 1 to 999/],
    ["half a client", ["--clients", "1.5"], /--clients is "1.5"/],
    ["a word too many", ["now"], /"now"/],
  ])("because of %s says so in a line", async (_, flags, message) => {
    const { exitCode, stdout, stderr } = await run(...flags);
    expect({ exitCode, stdout, lines: stderr.trimEnd().split("\n").length }).toEqual({
      exitCode: 2,
      stdout: "",
      lines: 1,
    });
    expect(stderr).toMatch(message);
    expect(await readdir(folder)).toEqual([]);
  });

  test("because the disk is too small writes nothing", async () => {
    const { exitCode, stderr } = await run("--size", "900000GiB");
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: free some disk space .* are needed in ".*", .* are free\n$/);
    expect(await readdir(folder)).toEqual([]);
  });
});

test("--help shows the flags", async () => {
  const { exitCode, stdout } = await run("--help");
  expect(exitCode).toBe(0);
  for (const flag of ["--size", "--clients", "--force", "--help"]) expect(stdout).toContain(flag);
  expect(await readdir(folder)).toEqual([]);
});

test.skipIf(process.platform === "win32").each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s ends it without a half file", async (signal, code) => {
  // The files are so large that the setup is still writing them, however fast the machine is.
  const child = start("--size", "512MiB", "--clients", "1");
  const clientFolder = inFolder("test-files/restaurant-001");
  const names = () => readdir(clientFolder).catch(() => []);
  await waitFor(async () => (await names()).length > 0, "the file under way");
  expect(await names()).toEqual([expect.stringMatching(/^\.file_to_download\.txt\..+\.tmp$/)]);
  child.kill(signal);
  expect(await child.exited).toBe(code);
  expect(await child.stderr.text()).toBe(`ended by ${signal}\n`);
  expect(await names()).toEqual([]);
});
