import { lstat, readdir, rm, rmdir } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { formatSize } from "../../util/sizes.ts";
import { plainText } from "../../util/plain-text.ts";
import { systemCode } from "../../util/system-error.ts";
import { countFiles } from "../terminal/set-counts.ts";
import { rememberRemoved } from "../verify/removed-files.ts";
import { filesBelow } from "../verify/saved-names.ts";
import { complain, type GuideContext, tell } from "./guide.ts";

/** Matches the name of a published file: `20260725_101500_file.txt`. */
const PUBLISHED = /^\d{8}_\d{6}_/;

/** Matches the name of the checksum file beside a set's folder. */
const SUMS = /\.(?:md5|sha256)$/;

/** A published file, or a published set with its checksum file. */
interface PublishedItem {
  /** The path of the file. For a set, the paths of its checksum file and of its folder. */
  paths: string[];
  files: number;
  /** The total size in bytes. */
  size: number;
}

/** Choice 11 of the menu: removes downloaded files, after a confirmation. */
export async function cleanUp(context: GuideContext): Promise<void> {
  const { target, input, signal } = context;
  const folder = plainText(resolve(target.downloadsDir));
  const { published, otherCount } = await listPublished(target.downloadsDir);
  if (otherCount > 0) tell(context, `${countFiles(otherCount)} of another kind will stay`);
  if (published.length === 0) return tell(context, `There is nothing to remove in ${folder}`);
  const sum = (value: (one: PublishedItem) => number, items = published) =>
    items.reduce((total, one) => total + value(one), 0);
  const what = `${countFiles(sum(({ files }) => files))} (${formatSize(sum(({ size }) => size))})`;
  const question = `Remove ${what} from ${folder}?`;
  if (!(await input.confirm(question, signal))) return tell(context, "Nothing was removed");
  await remember(
    context,
    published.flatMap(({ paths }) => paths),
  );
  const removed: PublishedItem[] = [];
  for (const one of published) if (await remove(context, one)) removed.push(one);
  await removeEmptyFolders(target.downloadsDir);
  const count = countFiles(sum(({ files }) => files, removed));
  tell(context, `${count} removed; the records of the downloads stay`);
}

/** Removes a published file or set. @returns false if it could not be removed completely */
async function remove(context: GuideContext, { paths }: PublishedItem): Promise<boolean> {
  for (const path of paths) {
    try {
      await rm(path, { recursive: true });
    } catch (error) {
      if (systemCode(error) === null) throw error;
      complain(context, `"${path}" cannot be removed: look at who owns it`);
      return false;
    }
  }
  return true;
}

/**
 * Records the paths of files that are about to be removed, so that a verification does not report them as
 * missing. A recorded file that still exists is verified as usual.
 */
async function remember(context: GuideContext, removed: string[]): Promise<void> {
  const { downloadsDir } = context.target;
  const paths = removed.map((path) => relative(downloadsDir, path).replaceAll("\\", "/"));
  try {
    await rememberRemoved(downloadsDir, paths);
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    complain(
      context,
      `That they are removed cannot be noted (${code}): they will count as missing`,
    );
  }
}

/**
 * Lists the published files and sets in the clients' folders, and counts all other entries of these folders.
 * Folders in `downloadsDir` whose name begins with a dot, such as the server's folder of unfinished files,
 * are skipped.
 */
async function listPublished(downloadsDir: string) {
  const published: PublishedItem[] = [];
  let otherCount = 0;
  for (const client of await clientFolders(downloadsDir)) {
    const entries = await readdir(client, { withFileTypes: true });
    const names = new Map(entries.map((entry) => [entry.name, entry]));
    for (const entry of entries) {
      const path = join(client, entry.name);
      const folder = SUMS.test(entry.name) ? entry.name.replace(SUMS, "") : "";
      if (!entry.isFile() || !PUBLISHED.test(entry.name)) {
        // A folder with a checksum file beside it is a set. The set is added together with its checksum file.
        const isSet = ["md5", "sha256"].some((kind) => names.has(`${entry.name}.${kind}`));
        if (!entry.isDirectory() || !isSet) otherCount++;
      } else if (names.get(folder)?.isDirectory()) {
        published.push(await setAt(path, join(client, folder)));
      } else {
        published.push({ paths: [path], files: 1, size: (await lstat(path)).size });
      }
    }
  }
  return { published, otherCount };
}

async function setAt(sums: string, folder: string): Promise<PublishedItem> {
  const set: PublishedItem = { paths: [sums, folder], files: 0, size: 0 };
  for await (const path of filesBelow(folder, "")) {
    set.files++;
    set.size += (await lstat(join(folder, path))).size;
  }
  return set;
}

async function clientFolders(downloadsDir: string): Promise<string[]> {
  try {
    const entries = await readdir(downloadsDir, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map(({ name }) => join(downloadsDir, name));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

async function removeEmptyFolders(downloadsDir: string): Promise<void> {
  for (const folder of await clientFolders(downloadsDir)) {
    if ((await readdir(folder)).length === 0) await rmdir(folder);
  }
}
