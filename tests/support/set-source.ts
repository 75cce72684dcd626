import { Database } from "bun:sqlite";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Random } from "./random.ts";
import { spawnSync } from "./spawn.ts";
import type { System } from "./system.ts";

/* Sets of files at a site, and checks that they arrived complete. */

const KiB = 1024;

/** The folder at the site that holds a set's files. */
const FOLDER = "exports";

/** The files of a set. */
export interface SetSource {
  small: number;
  /** Sizes of the large files, in bytes. */
  large: number[];
}

/** Writes the files of a set to the site's folder: small ones of random size, and the large ones. */
export async function writeSet(system: System, random: Random, source: SetSource): Promise<void> {
  const sizes = [
    ...Array.from({ length: source.small }, () => random.pick([0, 1, random.int(2, 16 * KiB)])),
    ...source.large,
  ];
  for (const [index, size] of sizes.entries()) {
    const path = system.source(`${FOLDER}/${index % 7}/${index % 3}/file-${index}.bin`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, random.bytes(size));
  }
}

/** Starts a download of the whole folder. @returns the id of the download */
export async function pullSet(system: System): Promise<string> {
  const request = { client_id: "site-1", paths: [FOLDER] };
  return (await system.api.startDownload(request)).download_id;
}

interface SetRow {
  path: string;
  place: string;
  status: string;
  digest: string | null;
  safe_offset: number;
}

/**
 * Checks invariant B for a set: received files have the recorded digest on the disk, and bytes below a
 * durable offset equal the site's.
 * @returns the violations, one line each
 */
export async function unsafeFiles(system: System, downloadId: string): Promise<string[]> {
  using database = new Database(system.databaseFile, { readonly: true });
  const [download] = database
    .query<{ saved_path: string | null; status: string }, [string]>(
      "SELECT saved_path, status FROM downloads WHERE download_id = ?",
    )
    .all(downloadId);
  if (download?.status === "failed" || download?.status === "cancelled") return [];
  const rows = database
    .query<SetRow, [string]>(
      "SELECT path, place, status, digest, safe_offset FROM set_files WHERE download_id = ?",
    )
    .all(downloadId);
  const folders = [
    join(system.serverFolder, "parts", `${downloadId}.set`),
    ...(download?.saved_path ? [join(system.folder, "downloads", download.saved_path)] : []),
  ];
  const problems: string[] = [];
  for (const row of rows) {
    const digests = await Promise.all(
      folders.map((folder) =>
        md5Of(join(folder, row.place), row.status === "pending" ? row.safe_offset : Infinity),
      ),
    );
    const wanted =
      row.status === "pending" ? await md5Of(system.source(row.path), row.safe_offset) : row.digest;
    if (row.status === "pending" && row.safe_offset === 0) continue;
    if (!digests.includes(wanted)) problems.push(`${row.path}: ${JSON.stringify(row)}`);
  }
  return problems;
}

/**
 * Compares a published set with the site's folder and verifies its checksums.
 * @returns the differences, or `""`
 */
export function flawsOfSet(system: System, savedPath: string): string {
  const name = savedPath.slice(savedPath.indexOf("/") + 1);
  const run = (...argv: string[]) => {
    const { stdout, stderr } = spawnSync(argv, { cwd: join(system.folder, "downloads/site-1") });
    return stdout.toString() + stderr.toString();
  };
  const sums = run("md5sum", "-c", "--quiet", `${name}.md5`);
  return sums + run("diff", "-r", system.source(FOLDER), `${name}/${FOLDER}`);
}

async function md5Of(path: string, length: number): Promise<string | null> {
  try {
    const bytes = await Bun.file(path).slice(0, length).bytes();
    return new Bun.CryptoHasher("md5").update(bytes).digest("hex");
  } catch {
    // The file cannot be read, perhaps because the set was published to another folder meanwhile.
    return null;
  }
}
