import { constants } from "node:fs";
import { access, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type Check, type Finding, userCheck } from "../../util/checkup.ts";
import { exposedFiles } from "../../util/exposed-files.ts";
import { flawOfWriting, freeBytes, nearestFolder, userName } from "../../util/machine.ts";
import { formatSize } from "../../util/sizes.ts";
import { systemCode } from "../../util/system-error.ts";
import type { ClientConfig } from "../config.ts";
import { keyFiles, inspectKeys } from "../key.ts";
import { Roots } from "../owner-rules/roots.ts";

/** Permission bits that let the group or others write. */
const OTHERS_WRITE = 0o022;

/** Minimum number of free bytes on the disk of the state folder, where the record of requests grows. */
const MIN_FREE = 64 * 1024 * 1024;

/** Maximum number of folders beside the state folder that are searched for a copy of this client's key. */
const MAX_NEIGHBOURS = 1_000;

type SiteConfig = Pick<
  ClientConfig,
  "stateDir" | "roots" | "allow" | "deny" | "keyMaxAge" | "tls"
> & {
  /** Path of the settings file, if it contains a secret; else null. */
  secretFile: string | null;
};

/** Returns the doctor's checks of this machine itself: user, state folder, disk, key and roots. */
export function siteChecks(config: SiteConfig): Check[] {
  return [
    userCheck(resolve(config.stateDir)),
    { name: "state folder", run: () => checkStateFolder(config.stateDir) },
    { name: "free disk", run: () => checkFreeDisk(config.stateDir) },
    { name: "key", needs: ["state folder"], run: () => checkKey(config) },
    ...config.roots.map((root) => ({ name: "root", run: () => checkRoot(root, config) })),
  ];
}

async function checkStateFolder(folder: string): Promise<Finding> {
  const user = await userName();
  const path = resolve(folder);
  const found = await stat(path).catch(() => null);
  if (!found) return checkFutureFolder(path, user);
  if (!found.isDirectory()) {
    return wrong(`"${path}" is a file`, "name a folder with --state-dir or CLIENT_STATE_DIR");
  }
  const flaw = await flawOfWriting(path);
  if (flaw !== null) {
    return wrong(
      `"${user}" cannot write in "${path}" (${flaw})`,
      `give the folder to the user that the client runs as: chown -R ${user} "${path}"`,
    );
  }
  if (process.platform !== "win32" && found.mode & OTHERS_WRITE) {
    return wrong(
      `others on this machine can write in "${path}", and put another key there`,
      `run chmod 700 "${path}"`,
    );
  }
  return { status: "ok", text: `"${path}", writable by "${user}"` };
}

/** Checks whether the client may make the state folder, which does not exist yet. */
async function checkFutureFolder(path: string, user: string): Promise<Finding> {
  const ancestor = await nearestFolder(path);
  const mayWrite = await access(ancestor, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!mayWrite) {
    return wrong(
      `"${path}" is not there, and "${user}" cannot make it in "${ancestor}"`,
      "make it and give it to that user, or name another with --state-dir or CLIENT_STATE_DIR",
    );
  }
  return { status: "not_needed", text: `"${path}" is not there yet, the client makes it` };
}

async function checkFreeDisk(folder: string): Promise<Finding> {
  const free = await freeBytes(folder);
  const text = `${formatSize(free)} for the state folder`;
  if (free >= MIN_FREE) return { status: "ok", text };
  return wrong(`only ${text}`, "free some disk: the record of requests is kept there");
}

async function checkKey(config: SiteConfig): Promise<Finding> {
  const { stateDir, keyMaxAge, tls, secretFile } = config;
  const [exposed] = await exposedFiles(...keyFiles(stateDir), tls.key, secretFile);
  if (exposed !== undefined) return { status: "wrong", text: exposed };
  const found = await inspectKeys(stateDir).catch((error: unknown) => error);
  if (found === null) {
    return { status: "not_needed", text: "none yet, the client makes one at its first start" };
  }
  if (!isKeys(found)) {
    const code = systemCode(found);
    const why = found instanceof Error ? found.message : String(found);
    if (code === null) return { status: "wrong", text: why };
    const path = keyFiles(stateDir)[0];
    return wrong(
      `"${await userName()}" cannot read "${path}" (${code})`,
      "give the file to the user that the client runs as, or run this as that user",
    );
  }
  const folderOfCopy = await findKeyCopy(stateDir, found.keys.key);
  if (folderOfCopy !== null) {
    return wrong(
      `it is the same as that of "${folderOfCopy}"`,
      "each client needs a key of its own: empty the state folder of the copy, and enrol it",
    );
  }
  const made = found.madeAt.toISOString().slice(0, 10);
  const days = Math.round(keyMaxAge / 86_400_000);
  return { status: "ok", text: `made on ${made}, replaced when it is ${days} days old` };
}

type Keys = NonNullable<Awaited<ReturnType<typeof inspectKeys>>>;

function isKeys(found: unknown): found is Keys {
  return typeof found === "object" && found !== null && "keys" in found;
}

/**
 * Looks for a copy of this client's key in the folders beside its state folder.
 * @returns the path of the folder with the copy; null if there is none
 */
async function findKeyCopy(stateDir: string, key: string): Promise<string | null> {
  const ownPath = resolve(stateDir);
  const parent = dirname(ownPath);
  const names = await readdir(parent).catch(() => []);
  for (const name of names.slice(0, MAX_NEIGHBOURS)) {
    if (name === basename(ownPath)) continue;
    const other = join(parent, name);
    const found = await inspectKeys(other).catch(() => null);
    if (found?.keys.key === key) return other;
  }
  return null;
}

async function checkRoot(path: string, { allow, deny }: SiteConfig): Promise<Finding> {
  const full = resolve(path);
  const found = await stat(full).catch((error: unknown) => systemCode(error) ?? String(error));
  if (found === "ENOENT" || found === "ENOTDIR") {
    return wrong(
      `"${full}" is not there`,
      "make the folder, connect its disk, or name another with --root or CLIENT_ROOTS",
    );
  }
  if (typeof found !== "string" && !found.isDirectory()) {
    return wrong(`"${full}" is no folder`, "name the folder that it is in");
  }
  try {
    await Roots.open([path], { allow, deny });
    const names = await readdir(full);
    const count = names.length === 1 ? "1 name" : `${names.length} names`;
    return { status: "ok", text: `"${full}", ${count} in it, readable by "${await userName()}"` };
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    const code = typeof found === "string" ? found : systemCode(cause);
    // An error without a system code is about a pattern of --allow or --deny. It is thrown again, because its
    // message already contains advice.
    if (code === null) throw error;
    const user = await userName();
    const how = process.platform === "linux" ? `: setfacl -R -m u:${user}:rX "${full}"` : "";
    return wrong(
      `"${user}" cannot read "${full}" (${code})`,
      `give the user that the client runs as the right to enter the folders above, and to read it${how}`,
    );
  }
}

function wrong(text: string, advice: string): Finding {
  return { status: "wrong", text, advice };
}
