import { randomBytes, randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder, writeFileDurably } from "../util/durable.ts";
import { UsageError } from "../util/flags.ts";
import { systemCode } from "../util/system-error.ts";

const KEY_BYTES = 32;
/** The same bytes as base64url. */
const KEY_PATTERN = /^[A-Za-z0-9_-]{43}$/;

/** What a client proves itself with. */
export interface ClientKeys {
  key: string;
  /** Is to take the place of `key`, which is too old. */
  newKey?: string;
}

/**
 * The key that a client's id belongs to, made at its first start. The client makes it, and not the
 * server, so that a lost answer to the first registration costs nothing.
 * @param stateDir made if it is not there
 * @returns 256 random bits as base64url
 * @throws UsageError when the folder cannot be used
 * @throws Error when the key in it is no key; it is never replaced, as the id belongs to the lost
 *   one for good
 */
export async function loadOrCreateKey(stateDir: string): Promise<string> {
  const path = join(stateDir, "key");
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    return check(path, (await read(path)) ?? (await create(path)));
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
 * What to show to the server: the key and, where that is too old, also one that is to take its
 * place. Both are kept and shown until the server says that it took the new one, so whoever of the
 * two crashes in between, one of them is right.
 * @param maxAge of the key, in ms
 * @throws as loadOrCreateKey
 */
export async function keysToShow(stateDir: string, maxAge: number): Promise<ClientKeys> {
  const key = await loadOrCreateKey(stateDir);
  const path = newKeyPath(stateDir);
  const age = Date.now() - (await stat(join(stateDir, "key"))).mtimeMs;
  const newKey = (await read(path)) ?? (age > maxAge ? await create(path) : null);
  return newKey === null ? { key } : { key, newKey: check(path, newKey) };
}

/** The server took the new key: the old one is good no more, and goes. */
export async function takeNewKey(stateDir: string): Promise<void> {
  try {
    await rename(newKeyPath(stateDir), join(stateDir, "key"));
  } catch (error) {
    // Another process with this folder was first.
    if (systemCode(error) !== "ENOENT") throw error;
  }
  await syncFolder(stateDir);
}

function newKeyPath(stateDir: string): string {
  return join(stateDir, "key.new");
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
}

/** @returns the key that is in the file then, which may be another start's */
async function create(path: string): Promise<string> {
  const candidate = `${path}.${randomUUID()}`;
  await writeFileDurably(candidate, randomBytes(KEY_BYTES).toString("base64url"), 0o600);
  try {
    // A link, unlike a rename, fails where another start was first.
    await link(candidate, path);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  } finally {
    await rm(candidate);
  }
  await syncFolder(dirname(path));
  return readFile(path, "utf8");
}

function check(path: string, text: string): string {
  const key = text.trim();
  if (KEY_PATTERN.test(key)) return key;
  throw new Error(
    `"${path}" holds no key: put the right one back, or remove the file and enrol under another id`,
  );
}
