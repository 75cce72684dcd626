import { atOnce } from "../../util/at-once.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import type { SetFile, SetFileChange } from "../set.ts";
import type { SetFolder } from "../storage/storage.ts";
import type { OpenSet } from "./open-set.ts";

/** Number of rows of files that are read at a time. */
const PAGE = 1_000;
/** Number of files that are checked in one slice of the event loop. */
const BATCH = 64;
/** Number of files that are taken at the same time from the folders of other servers' attempts. */
const TAKEN_AT_ONCE = 16;

/**
 * Checks that each file that earlier attempts received or linked into the set is still stored. Files in the
 * folders of other servers' attempts are taken over first. A file that is missing or has another size is
 * marked to be requested again.
 * @returns the number of files marked
 */
export async function wantMissing({
  download,
  rows,
  folder,
  isOver,
}: Pick<OpenSet, "download" | "rows" | "folder" | "isOver">): Promise<number> {
  const { downloadId } = download;
  let missing = 0;
  if (folder.hasFormerFolders) await takeOver(downloadId, rows, folder);
  for (let after = -1, isMore = true; isMore && !isOver();) {
    const files = await rows.list(downloadId, { known: true, after, limit: PAGE });
    const lost: SetFile[] = [];
    for (let at = 0; at < files.length; at += BATCH) {
      const batch = files.slice(at, at + BATCH);
      await eventLoopBudget.run(() => lost.push(...batch.filter((file) => isLost(file, folder))));
    }
    if (lost.length > 0) {
      const changes = lost.map(({ index }): SetFileChange => {
        return { index, status: "pending", durableOffset: 0 };
      });
      await rows.update(download, changes);
    }
    missing += lost.length;
    after = files.at(-1)?.index ?? after;
    isMore = files.length === PAGE;
  }
  return missing;
}

/**
 * Takes over what other servers' attempts received, into this attempt's folder: complete files, and the
 * durable bytes of unfinished files.
 */
async function takeOver(
  downloadId: string,
  rows: OpenSet["rows"],
  folder: SetFolder,
): Promise<void> {
  for (let after = -1, isMore = true; isMore;) {
    const files = await rows.list(downloadId, { after, limit: PAGE });
    await atOnce(TAKEN_AT_ONCE, files, async ({ place, status, durableOffset }) => {
      if (place === null || status === "skipped") return;
      if (status !== "pending") await folder.takeOver(place, null);
      else if (durableOffset > 0) await folder.takeOver(place, durableOffset);
    });
    after = files.at(-1)?.index ?? after;
    isMore = files.length === PAGE;
  }
  await folder.sync();
  await folder.dropFormerFolders();
}

function isLost({ status, place, size }: SetFile, folder: Pick<SetFolder, "sizeOf">): boolean {
  if (status === "skipped" || place === null) return false;
  return folder.sizeOf(place) !== size;
}
