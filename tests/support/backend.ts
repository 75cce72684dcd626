import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { FakeS3 } from "./fake-s3.ts";
import { FolderObjects } from "./folder-objects.ts";
import { type Databases, startDatabases } from "./postgres.ts";
import { settingsOf } from "./s3-settings.ts";

const CHOICES = ["postgres", "s3", "postgres+s3"] as const;
type Choice = (typeof CHOICES)[number];

/**
 * The backend for servers of tests that choose none themselves. Null means SQLite and a folder on the disk.
 */
const CHOSEN = chosen(process.env["TEST_BACKEND"]);
const HAS_POSTGRES = CHOSEN?.includes("postgres") ?? false;
const HAS_S3 = CHOSEN?.includes("s3") ?? false;

/**
 * Suffixes for the names of tests that only apply to SQLite, or to a disk, and are skipped on other backends.
 */
export const ON_POSTGRES = HAS_POSTGRES ? " (is about SQLite, and runs without TEST_BACKEND)" : "";
export const ON_S3 = HAS_S3 ? " (is about a disk, and runs without TEST_BACKEND)" : "";

/** Settings for a server whose database file a test writes directly: SQLite at its default path. */
export const ROWS_IN_A_FILE = { DATABASE_URL: "sqlite://downloads/.server/state.db" };

/** The database and the storage of a server under test. */
export interface Backend extends AsyncDisposable {
  /** Environment variables that make the server use this database and this storage. */
  env: Record<string, string>;
  /** Returns the names of the parts of unfinished downloads. */
  parts(): Promise<string[]>;
}

/**
 * Starts the backend that `TEST_BACKEND` names, with an empty database and an empty bucket.
 * @param downloads the server's `DOWNLOADS_DIR`, in which objects of the fake S3 appear as files too
 * @param env settings of the test. A database or storage named here replaces the one of `TEST_BACKEND`
 */
export async function startBackend(
  downloads: string,
  env: Record<string, string>,
): Promise<Backend> {
  const isToldOf = "DATABASE_URL" in env || "STORAGE_URL" in env;
  const s3 = HAS_S3 && !isToldOf ? new FakeS3(new FolderObjects(downloads)) : null;
  if (s3) await mkdir(downloads, { recursive: true });
  const database = HAS_POSTGRES && !isToldOf ? await makeDatabase() : null;
  return {
    env: {
      ...(database !== null && { DATABASE_URL: database }),
      // With Postgres, several servers may share one storage, so STORAGE_URL names the storage explicitly.
      ...(database !== null && { STORAGE_URL: downloads }),
      ...(s3 && settingsOf(s3)),
    },
    parts: async () => (s3 ? partsIn(s3) : readdir(join(downloads, ".server/parts"))),
    [Symbol.asyncDispose]: async () => s3?.[Symbol.asyncDispose](),
  };
}

let databases: Promise<Databases> | undefined;

/**
 * Makes an empty database and returns its URL. All databases of this process are in one Postgres, which ends
 * with it.
 */
export async function makeDatabase(): Promise<string> {
  databases ??= startDatabases();
  return (await databases).makeDatabase();
}

function partsIn(s3: FakeS3): string[] {
  const own = s3.keys.filter((key) => /^\.server\/(?:parts|sets)\//.test(key));
  return [...new Set(own.map((key) => key.split("/")[2] ?? ""))];
}

function chosen(name: string | undefined): Choice | null {
  const choice = CHOICES.find((each) => each === name);
  if (choice || name === undefined) return choice ?? null;
  throw new Error(`TEST_BACKEND is "${name}", expected ${CHOICES.join(", ")}`);
}
