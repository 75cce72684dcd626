import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type Check, type Finding, userCheck } from "../../util/checkup.ts";
import { exposedFiles } from "../../util/exposed-files.ts";
import { flawOfWriting, freeBytes, nearestFolder, userName } from "../../util/machine.ts";
import { formatSize } from "../../util/sizes.ts";
import type { ServerConfig } from "../config.ts";
import type { StorageConfig } from "../storage-config.ts";

/** Largest difference between two clocks, in ms, that is accepted. */
const MAX_SKEW_MS = 60_000;

/** The state of a database, and the version of its schema that this program needs. */
interface DatabaseState {
  place: string;
  version: number | null;
  latest: number;
  now: number | null;
}

/** Functions that try out the database and the bucket of S3. */
export interface Lookers {
  /** Reads the state of a database. @throws whatever keeps the database from being used */
  database: (url: string) => Promise<DatabaseState>;
  /** Tries out a bucket. @throws whatever keeps the bucket from being used */
  bucket: (storage: StorageConfig & { type: "s3" }) => Promise<void>;
}

interface Given {
  config: ServerConfig;
  secretFile: string | null;
}

/** Makes the checks of whether the server can store its rows and the bytes of files. */
export function dataChecks({ config, secretFile }: Given, lookers: Lookers) {
  let databaseNow: number | null = null;
  const database = async (): Promise<Finding> => {
    const state = await lookers.database(config.databaseUrl);
    databaseNow = state.now;
    return describe(state);
  };
  return {
    user: userCheck(resolve(config.downloadsDir)),
    folder: { name: "folder", run: () => checkFolder(config, secretFile) },
    disk: { name: "room", run: () => checkRoom(config, lookers) },
    database: { name: "database", run: database },
    clock: { name: "clock", needs: ["database"], run: () => checkClock(databaseNow) },
  } satisfies Record<string, Check>;
}

async function checkFolder(
  { downloadsDir, tls }: ServerConfig,
  secretFile: string | null,
): Promise<Finding> {
  const user = await userName();
  const path = resolve(downloadsDir);
  const [exposed] = await exposedFiles(secretFile, tls?.key ?? null);
  if (exposed !== undefined) return { status: "wrong", text: exposed };
  const found = await stat(path).catch(() => null);
  if (!found) {
    const parent = await nearestFolder(path);
    const mayMake = await access(parent, constants.W_OK | constants.X_OK).then(
      () => true,
      () => false,
    );
    const advice = "make it and give it to the user that the server runs as, or set DOWNLOADS_DIR";
    return mayMake
      ? { status: "not_needed", text: `"${path}" is not there yet, the server makes it` }
      : { status: "wrong", text: `"${path}" is not there, and "${user}" cannot make it`, advice };
  }
  const flaw = await flawOfWriting(path);
  if (flaw === null) return { status: "ok", text: `"${path}", writable by "${user}"` };
  return {
    status: "wrong",
    text: `"${user}" cannot write in "${path}" (${flaw})`,
    advice: `give the folder to the user that the server runs as: chown -R ${user} "${path}"`,
  };
}

async function checkRoom(
  { storage, minFreeDisk }: ServerConfig,
  lookers: Lookers,
): Promise<Finding> {
  if (storage.type === "s3") {
    await lookers.bucket(storage);
    return { status: "ok", text: `the bucket "${storage.bucket}" can be used` };
  }
  const free = await freeBytes(storage.path);
  const text = `${formatSize(free)} free, of which MIN_FREE_DISK keeps ${formatSize(minFreeDisk)}`;
  if (free > minFreeDisk) return { status: "ok", text };
  return {
    status: "wrong",
    text,
    advice:
      "no file is taken until there is more: remove some, set KEEP_DAYS, or take a larger disk",
  };
}

function describe({ place, version, latest }: DatabaseState): Finding {
  if (version === null) {
    return { status: "not_needed", text: `${place} holds nothing yet, the server makes it` };
  }
  const text = `${place}, version ${version}`;
  if (version === latest) return { status: "ok", text };
  return { status: "ok", text: `${text}, which this program brings to ${latest} when it starts` };
}

/**
 * Compares the clocks of this machine and of the database's machine.
 * @param databaseNow time of the database's machine, in ms since 1970; null: the database has no clock of its
 *   own
 */
function checkClock(databaseNow: number | null): Finding {
  if (databaseNow === null) {
    return {
      status: "not_needed",
      text: `${new Date().toISOString().slice(0, 19)}Z, with nothing here to compare it with`,
    };
  }
  const skew = Date.now() - databaseNow;
  const seconds = Math.round(Math.abs(skew) / 1000);
  if (Math.abs(skew) <= MAX_SKEW_MS) return { status: "ok", text: "as the database's" };
  return {
    status: "wrong",
    text: `${seconds} s ${skew < 0 ? "behind" : "ahead of"} the database's`,
    advice: "let both machines' clocks be set by the network (NTP)",
  };
}
