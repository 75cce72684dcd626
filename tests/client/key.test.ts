import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { prepareKeys, loadOrCreateKey, takeNewKey } from "../../lib/client/key.ts";
import { UsageError } from "../../lib/util/flags.ts";
import { lacksStrace } from "../support/machine.ts";
import { spawn } from "../support/spawn.ts";

let base: string;
let stateDir: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "fds-key-"));
  stateDir = join(base, "states/restaurant-001");
});

afterEach(() => rm(base, { recursive: true, force: true }));

async function permissionsOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

test("a key is 256 random bits, made once", async () => {
  const { key, isNew } = await loadOrCreateKey(stateDir);
  expect(Buffer.from(key, "base64url")).toHaveLength(32);
  expect(isNew).toBe(true);
  expect(await loadOrCreateKey(stateDir)).toEqual({ key, isNew: false });
  expect((await loadOrCreateKey(join(base, "another"))).key).not.toBe(key);
});

test.if(process.platform !== "win32")("nobody else can read it (needs POSIX)", async () => {
  await loadOrCreateKey(stateDir);
  expect(await permissionsOf(join(stateDir, "key"))).toBe(0o600);
  expect(await permissionsOf(stateDir)).toBe(0o700);
  expect(await permissionsOf(join(base, "states"))).toBe(0o700);
});

/** Loads the key in `count` other processes. @returns the key that each process got */
function loadInOthers(count: number, ...wrapper: string[]): Promise<string>[] {
  const module = JSON.stringify(resolve("lib/client/key.ts"));
  const program = `process.stdout.write((await (await import(${module})).loadOrCreateKey(process.argv[1])).key)`;
  const command = [...wrapper, process.execPath, "-e", program, stateDir];
  return Array.from({ length: count }, () =>
    new Response(spawn(command, { stdio: ["ignore", "pipe", "inherit"] }).stdout).text(),
  );
}

test("starts at the same time end with the same key, and leave nothing else behind", async () => {
  const inThisProcess = Array.from({ length: 10 }, async () => {
    return (await loadOrCreateKey(stateDir)).key;
  });
  const keys = new Set(await Promise.all([...inThisProcess, ...loadInOthers(3)]));
  expect([...keys]).toEqual([await readFile(join(stateDir, "key"), "utf8")]);
  expect(await readdir(stateDir)).toEqual(["key"]);
});

describe.skipIf(lacksStrace !== "")(`on a disk without links${lacksStrace}`, () => {
  // The errors of link(2) on vfat, some network mounts and some FUSE file systems.
  test.each(["EPERM", "EOPNOTSUPP", "ENOSYS"])(
    "that says %s, a key is made all the same",
    async (code) => {
      const calls = "link,linkat";
      const wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`];
      const inject = ["-e", `inject=${calls}:error=${code}`];
      const keys = new Set(await Promise.all(loadInOthers(3, ...wrapper, ...inject)));
      expect([...keys]).toEqual([await readFile(join(stateDir, "key"), "utf8")]);
      expect(await readdir(stateDir)).toEqual(["key"]);
      expect(await permissionsOf(join(stateDir, "key"))).toBe(0o600);
    },
  );

  test("a lock that a crash left keeps no client from its key", async () => {
    await mkdir(join(stateDir, "key.lock"), { recursive: true });
    const inject = ["-e", "trace=link,linkat", "-e", "inject=link,linkat:error=EPERM"];
    const [key] = await Promise.all(
      loadInOthers(1, "strace", "-f", "-qq", "-o", "/dev/null", ...inject),
    );
    expect(key).toBe(await readFile(join(stateDir, "key"), "utf8"));
    expect(await readdir(stateDir)).toEqual(["key"]);
  });
});

test("a key that was put back by hand may end with a line break", async () => {
  const { key } = await loadOrCreateKey(stateDir);
  await writeFile(join(stateDir, "key"), `${key}\n`);
  expect((await loadOrCreateKey(stateDir)).key).toBe(key);
});

test.each([
  ["empty", ""],
  ["cut short", "A".repeat(42)],
  ["too long", "A".repeat(44)],
  ["not base64url", `${"A".repeat(42)}+`],
  ["two keys", `${"A".repeat(43)}\n${"B".repeat(43)}`],
])("a key that is %s is refused and kept", async (_, text) => {
  await mkdir(stateDir, { recursive: true });
  await writeFile(join(stateDir, "key"), text);
  const error = await problemOf(stateDir);
  expect(error.message).toContain(`"${join(stateDir, "key")}" holds no key`);
  if (text !== "") expect(error.message).not.toContain(text);
  expect(await readFile(join(stateDir, "key"), "utf8")).toBe(text);
});

test("a state folder that is a file is refused in words", async () => {
  await writeFile(join(base, "file"), "");
  const error = await problemOf(join(base, "file"));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toContain("--state-dir");
});

test.if(process.platform !== "win32")(
  "so is one that cannot be written (needs POSIX)",
  async () => {
    await mkdir(stateDir, { recursive: true });
    await chmod(base, 0o755);
    await chmod(stateDir, 0o555);
    const asRoot = process.geteuid?.() === 0;
    // Becomes the user nobody, because root may write everywhere.
    if (asRoot) process.seteuid?.(65_534);
    const error = await problemOf(stateDir).finally(() => asRoot && process.seteuid?.(0));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toContain("(EACCES)");
  },
);

async function problemOf(folder: string): Promise<Error> {
  const outcome = await loadOrCreateKey(folder).catch((error: unknown) => error);
  if (outcome instanceof Error) return outcome;
  throw new Error("the key was taken");
}

test.each([
  ["gone", null],
  ["empty", ""],
])("a key that is %s while the client runs is not replaced by another one", async (_, text) => {
  await loadOrCreateKey(stateDir);
  await rm(join(stateDir, "key"));
  if (text !== null) await writeFile(join(stateDir, "key"), text);
  await expect(prepareKeys(stateDir, 1)).rejects.toThrow(/holds no key/);
  expect(await readdir(stateDir)).toEqual(text === null ? [] : ["key"]);
});

describe("a key that is too old", () => {
  const DAY_MS = 86_400_000;

  /** Makes a key that is two days old. @returns the key */
  async function age(): Promise<string> {
    const { key } = await loadOrCreateKey(stateDir);
    const then = new Date(Date.now() - 2 * DAY_MS);
    await utimes(join(stateDir, "key"), then, then);
    return key;
  }

  test("is shown with one that is to replace it, the same at every try", async () => {
    const key = await age();
    expect(await prepareKeys(stateDir, 3 * DAY_MS)).toEqual({ key });
    const shown = await prepareKeys(stateDir, DAY_MS);
    expect(shown.key).toBe(key);
    expect(Buffer.from(shown.newKey!, "base64url")).toHaveLength(32);
    expect(await prepareKeys(stateDir, DAY_MS)).toEqual(shown);
    // Once the new key was sent, it stays, because a server may have accepted it. A longer lifetime of keys
    // does not change that.
    expect(await prepareKeys(stateDir, 3 * DAY_MS)).toEqual(shown);
    expect((await loadOrCreateKey(stateDir)).key).toBe(key);
  });

  test("is replaced by another one where the new one is no key: no server can have seen it", async () => {
    const key = await age();
    await writeFile(join(stateDir, "key.new"), "half of a k");
    const shown = await prepareKeys(stateDir, DAY_MS);
    expect(shown.key).toBe(key);
    expect(Buffer.from(shown.newKey!, "base64url")).toHaveLength(32);
  });

  test("goes when the server took the new one, which is young", async () => {
    await age();
    const { newKey } = await prepareKeys(stateDir, DAY_MS);
    await takeNewKey(stateDir);
    await takeNewKey(stateDir);
    expect(await prepareKeys(stateDir, DAY_MS)).toEqual({ key: newKey! });
    expect(await readdir(stateDir)).toEqual(["key"]);
  });
});
