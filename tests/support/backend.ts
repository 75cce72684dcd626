import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { FakeS3 } from "./fake-s3.ts";
import { FolderObjects } from "./folder-objects.ts";
import { type Databases, startDatabases } from "./postgres.ts";
import { settingsOf } from "./s3-settings.ts";

const CHOICES = ["postgres", "s3", "postgres+s3"] as const;
type Choice = (typeof CHOICES)[number];

/** On what servers of tests work, where a test does not say it itself; null: SQLite and a folder. */
const CHOSEN = chosen(process.env["TEST_BACKEND"]);
const HAS_POSTGRES = CHOSEN?.includes("postgres") ?? false;
const HAS_S3 = CHOSEN?.includes("s3") ?? false;

/** Added to the names of tests that are about SQLite, or about a disk. */
export const ON_POSTGRES = HAS_POSTGRES ? " (is about SQLite, and runs without TEST_BACKEND)" : "";
export const ON_S3 = HAS_S3 ? " (is about a disk, and runs without TEST_BACKEND)" : "";

/** Settings of a server whose rows a test writes itself: they are where they are without settings. */
export const ROWS_IN_A_FILE = { DATABASE_URL: "sqlite://downloads/.server/state.db" };

/** Where a server of a test keeps its rows and its files. */
export interface Backend extends AsyncDisposable {
  /** Settings of the server. */
  env: Record<string, string>;
  /** Names of the parts of downloads that are under way. */
  parts(): Promise<string[]>;
}

/**
 * The backend that `TEST_BACKEND` asks for, with an empty database and an empty bucket.
 * @param downloads the server's `DOWNLOADS_DIR`; what is published in S3 is shown there too
 * @param env what a test says itself: where it names a database or a storage, it gets that
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
      // Rows in Postgres are for several servers, which say where all of them keep the files.
      ...(database !== null && { STORAGE_URL: downloads }),
      ...(s3 && settingsOf(s3)),
    },
    parts: async () => (s3 ? partsIn(s3) : readdir(join(downloads, ".server/parts"))),
    [Symbol.asyncDispose]: async () => s3?.[Symbol.asyncDispose](),
  };
}

let databases: Promise<Databases> | undefined;

/** An empty database, in one Postgres for all tests of this process, with which that ends. */
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
