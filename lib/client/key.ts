import { randomBytes, randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder, writeFileDurably } from "../util/durable.ts";
import { UsageError } from "../util/flags.ts";
import { systemCode } from "../util/system-error.ts";

const KEY_BYTES = 32;
/** The form of a key: 256 bits as base64url. */
const KEY_PATTERN = /^[A-Za-z0-9_-]{43}$/;

/**
 * How long, in ms, to wait for the lock of another process. A lock that exists longer is left over from a
 * crash, because the work under the lock takes a few ms.
 */
const MAX_LOCK_WAIT_MS = 2_000;
const LOCK_POLL_MS = 50;

/** The keys that authenticate a client to the server. */
export interface ClientKeys {
  key: string;
  /** A new key that is to replace `key`, because `key` is too old; undefined if none is due. */
  newKey?: string;
}

/**
 * Reads the key that authenticates this client, or makes a key at the first start. The key is made by the
 * client, not by the server, so the client has it even if the answer to its first registration is lost.
 * @param stateDir folder of the key, made if missing
 * @returns 256 random bits as base64url, and whether the key was made just now, so that no server knows it
 * @throws UsageError when the folder cannot be used
 * @throws Error when the key file holds no valid key. No other key is made, because the server would not
 *   accept another key for this client id.
 */
export async function loadOrCreateKey(stateDir: string): Promise<{ key: string; isNew: boolean }> {
  const path = keyPath(stateDir);
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const existing = await read(path);
    return {
      key: parseKey(path, existing ?? (await createKeyFile(path))),
      isNew: existing === null,
    };
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
 * Returns the keys to send to the server: the key and, if it is too old, a new key to replace it. Both are
 * kept and sent until the server confirms the new key, so one of them is valid even if either side crashes in
 * between.
 * @param maxAge age in ms above which a key is replaced
 * @throws Error when the key file is missing or holds no valid key. No other key is made then, because the
 *   server would not accept another key for this client id.
 */
export async function prepareKeys(stateDir: string, maxAge: number): Promise<ClientKeys> {
  const path = keyPath(stateDir);
  const key = parseKey(path, (await read(path)) ?? "");
  const age = Date.now() - (await stat(path)).mtimeMs;
  const newKey =
    (await readNewKey(stateDir)) ??
    (age > maxAge ? await createKeyFile(newKeyPath(stateDir)) : null);
  return newKey === null ? { key } : { key, newKey };
}

/**
 * Reads the client's keys and the time at which the key was made. Does not make or remove any key.
 * @returns null if there is no key yet
 * @throws Error when the key file holds no valid key; an error of the system when a file cannot be read
 */
export async function inspectKeys(
  stateDir: string,
): Promise<{ keys: ClientKeys; madeAt: Date } | null> {
  const path = keyPath(stateDir);
  const text = await read(path);
  if (text === null) return null;
  const key = parseKey(path, text);
  const newKey = (await read(newKeyPath(stateDir)))?.trim();
  const keys = newKey !== undefined && KEY_PATTERN.test(newKey) ? { key, newKey } : { key };
  return { keys, madeAt: (await stat(path)).mtime };
}

/** Returns a random key that is not saved, for a client that has no key yet. */
export function temporaryKeys(): ClientKeys {
  return { key: randomKey() };
}

/** Replaces the old key file by the new key, which the server has accepted. */
export async function takeNewKey(stateDir: string): Promise<void> {
  try {
    await rename(newKeyPath(stateDir), keyPath(stateDir));
  } catch (error) {
    // Another process with the same state folder has already renamed the file.
    if (systemCode(error) !== "ENOENT") throw error;
  }
  await syncFolder(stateDir);
}

/** Returns the paths of the key files, whether or not the files exist. */
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
 * Reads the new key. A file without a valid key is removed, because only valid keys are sent to a server.
 * @returns null if there is no new key
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

/**
 * Makes a key file, unless another process makes the file first.
 * @returns the key that the file holds afterwards
 */
async function createKeyFile(path: string): Promise<string> {
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

/** Gives a file its final name, unless another process has already created a file of that name. */
async function placeOnce(candidate: string, path: string): Promise<void> {
  try {
    // link() fails if the name is taken, whereas rename() would overwrite the existing file.
    await link(candidate, path);
  } catch (error) {
    if (systemCode(error) === "EEXIST") return;
    // Some file systems have no hard links, and the error code for this differs between them. So after any
    // error but EEXIST, the file is renamed under a lock instead.
    await withLock(`${path}.lock`, async () => {
      if ((await read(path)) === null) await rename(candidate, path);
    });
  }
}

/**
 * Runs work under a lock between processes. A lock that still exists after MAX_LOCK_WAIT_MS is ignored.
 * @param folder exists while a process holds the lock
 */
async function withLock(folder: string, work: () => Promise<void>): Promise<void> {
  for (
    let waited = 0;
    waited < MAX_LOCK_WAIT_MS && !(await makeFolder(folder));
    waited += LOCK_POLL_MS
  ) {
    await Bun.sleep(LOCK_POLL_MS);
  }
  try {
    await work();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Makes a folder. @returns false if the folder existed already */
async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

function parseKey(path: string, text: string): string {
  const key = text.trim();
  if (KEY_PATTERN.test(key)) return key;
  throw new Error(
    `"${path}" holds no key: put the right one back, or remove the file and enrol under another id`,
  );
}
