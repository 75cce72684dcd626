import { randomBytes, randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder, writeFileDurably } from "../util/durable.ts";
import { UsageError } from "../util/flags.ts";
import { systemCode } from "../util/system-error.ts";

const KEY_BYTES = 32;
/** A key as base64url: 256 bits. */
const KEY_PATTERN = /^[A-Za-z0-9_-]{43}$/;

/** Age of a lock, in ms, from which it must be left from a crash: its work takes some ms. */
const LOCK_MS = 2_000;
const LOOK_EVERY_MS = 50;

/** What a client proves its identity with. */
export interface ClientKeys {
  key: string;
  /** A new key that is to replace `key`, which is too old. */
  newKey?: string;
}

/**
 * The key that a client's id belongs to, made at its first start. The client makes it, not the server, so
 * that a lost answer to the first registration costs nothing.
 * @param stateDir made if it does not exist
 * @returns 256 random bits as base64url, and whether they were made just now, so that no server knows them
 * @throws UsageError when the folder cannot be used
 * @throws Error when the file holds no key; it is never replaced, as the id belongs to the lost key for
 *   good
 */
export async function loadOrCreateKey(stateDir: string): Promise<{ key: string; isNew: boolean }> {
  const path = keyPath(stateDir);
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const known = await read(path);
    return { key: check(path, known ?? (await create(path))), isNew: known === null };
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    throw new UsageError(
      `the client's key cannot be kept in "${stateDir}" (${code}), pass a folder that can be written with --state-dir or CLIENT_STATE_DIR`,
      { cause: error },
    );
  }
}

/**
 * The keys to send to the server: the key, and a new one to replace it where it is too old. Both are kept
 * and sent until the server says that it took the new one. So if either side crashes in between, one of the
 * keys is right.
 * @param maxAge of the key, in ms
 * @throws Error when the file is gone or holds no key: no other key is made while the client runs, as the
 *   id belongs to that one
 */
export async function keysToShow(stateDir: string, maxAge: number): Promise<ClientKeys> {
  const path = keyPath(stateDir);
  const key = check(path, (await read(path)) ?? "");
  const age = Date.now() - (await stat(path)).mtimeMs;
  const newKey =
    (await readNewKey(stateDir)) ?? (age > maxAge ? await create(newKeyPath(stateDir)) : null);
  return newKey === null ? { key } : { key, newKey };
}

/**
 * Reads the keys, without making or removing any.
 * @returns null where there is none yet
 * @throws Error when the file holds no key, or an error of the system
 */
export async function lookAtKeys(
  stateDir: string,
): Promise<{ keys: ClientKeys; madeAt: Date } | null> {
  const path = keyPath(stateDir);
  const text = await read(path);
  if (text === null) return null;
  const key = check(path, text);
  const newKey = (await read(newKeyPath(stateDir)))?.trim();
  const keys = newKey !== undefined && KEY_PATTERN.test(newKey) ? { key, newKey } : { key };
  return { keys, madeAt: (await stat(path)).mtime };
}

/** Keys that no server knows, for a client that has none yet. They are not saved. */
export function keysForNow(): ClientKeys {
  return { key: randomKey() };
}

/** Replaces the old key, which is no longer valid, by the new one that the server took. */
export async function takeNewKey(stateDir: string): Promise<void> {
  try {
    await rename(newKeyPath(stateDir), keyPath(stateDir));
  } catch (error) {
    // Another process with the same folder was first.
    if (systemCode(error) !== "ENOENT") throw error;
  }
  await syncFolder(stateDir);
}

/** Paths of the files that hold a key, whether they exist or not. */
export function keyFiles(stateDir: string): string[] {
  return [keyPath(stateDir), newKeyPath(stateDir)];
}

function randomKey(): string {
  return randomBytes(KEY_BYTES).toString("base64url");
}

function keyPath(stateDir: string): string {
  return join(stateDir, "key");
}

function newKeyPath(stateDir: string): string {
  return join(stateDir, "key.new");
}

/**
 * @returns null where there is none. A file without a valid key counts as none: no server can have seen it
 */
async function readNewKey(stateDir: string): Promise<string | null> {
  const path = newKeyPath(stateDir);
  const key = (await read(path))?.trim() ?? null;
  if (key === null || KEY_PATTERN.test(key)) return key;
  await rm(path);
  return null;
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
}

/** @returns the key that is in the file afterwards; another process may have written it */
async function create(path: string): Promise<string> {
  const candidate = `${path}.${randomUUID()}`;
  await writeFileDurably(candidate, randomKey(), 0o600);
  try {
    await placeOnce(candidate, path);
  } finally {
    await rm(candidate, { force: true });
  }
  await syncFolder(dirname(path));
  return readFile(path, "utf8");
}

/** Gives a file its name, unless another process was first. */
async function placeOnce(candidate: string, path: string): Promise<void> {
  try {
    // A link, unlike a rename, fails where the name is taken.
    await link(candidate, path);
  } catch (error) {
    if (systemCode(error) === "EEXIST") return;
    // Some disks have no links, and report it in different ways.
    await withLock(`${path}.lock`, async () => {
      if ((await read(path)) === null) await rename(candidate, path);
    });
  }
}

/** @param folder exists while the work is done; others who find it wait */
async function withLock(folder: string, work: () => Promise<void>): Promise<void> {
  for (let waited = 0; waited < LOCK_MS && !(await isMade(folder)); waited += LOOK_EVERY_MS) {
    await Bun.sleep(LOOK_EVERY_MS);
  }
  try {
    await work();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns false where it existed already */
async function isMade(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

function check(path: string, text: string): string {
  const key = text.trim();
  if (KEY_PATTERN.test(key)) return key;
  throw new Error(
    `"${path}" holds no key: put the right one back, or remove the file and enrol under another id`,
  );
}
