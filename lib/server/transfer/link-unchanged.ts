import { pauses } from "../../util/fair-turns.ts";
import type { Download } from "../download.ts";
import type { SetFile, SetFileChange, SetRows } from "../set.ts";
import type { SetFolder } from "../storage/storage.ts";

/** Number of the set's files that are looked up at a time among the files already stored. */
const BATCH = 250;

/**
 * Number of links made between two flushes. Each flush is one syncfs of the file system where possible, and
 * the rows of the links are updated after it. After a crash, about this many links may have to be made again.
 */
const FLUSHED_AT_ONCE = 2_500;

export interface LinkUnchangedOptions {
  download: Pick<Download, "downloadId" | "epoch" | "clientId" | "checksum">;
  rows: SetRows;
  folder: SetFolder;
  /** Called for each file that was linked into the set. */
  onLinked: (file: SetFile) => void;
  /** Reports whether the attempt is over. If so, no more files are linked. */
  isOver: () => boolean;
}

/**
 * Links already stored files into the set's folder, if their path, size and time are unchanged at the client.
 */
export async function linkUnchanged(options: LinkUnchangedOptions): Promise<void> {
  const { download, rows, folder, onLinked, isOver } = options;
  const { downloadId, clientId, checksum } = download;
  let linked: SetFileChange[] = [];
  const saveLinks = async () => {
    if (linked.length === 0) return;
    await folder.sync();
    await rows.update(download, linked);
    linked = [];
  };
  const pause = pauses();
  for (let after = -1, isMore = true; isMore && !isOver();) {
    await pause();
    const files = await rows.list(downloadId, { status: "pending", after, limit: BATCH });
    const twins = await rows.twins(clientId, checksum, files);
    const byIndex = new Map(files.map((file) => [file.index, file]));
    for (const { index, savedPath, digest, readAt } of twins) {
      const file = byIndex.get(index);
      if (!file?.place || !(await folder.linkFile(file.place, savedPath, file.size))) continue;
      linked.push({ index, status: "unchanged", digest, readAt });
      onLinked(file);
    }
    if (linked.length >= FLUSHED_AT_ONCE) await saveLinks();
    after = files.at(-1)?.index ?? after;
    isMore = files.length === BATCH;
  }
  await saveLinks();
}
