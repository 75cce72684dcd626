import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { waitFor } from "../support/wait.ts";
import type { Stage, StageOptions } from "./stage.ts";

/* A server with one of its folders on a small disk, which tests can fill up. */

/** Interval at which the server retries a download that waits for disk space, in ms. */
export const RECHECK = 5_000;

/** Environment variables that preload short-writes.ts into a server. */
export const WITH_SHORT_WRITES = {
  BUN_OPTIONS: `--preload=${join(import.meta.dir, "short-writes.ts")}`,
};
/** Settings that put the database on another disk than the downloads. */
export const APART = { DATABASE_URL: "sqlite://database/state.db" };

/**
 * Sets up a server with a small disk.
 * @param at the folder that is a disk of its own
 * @param size of the disk, in bytes
 * @param set starts the server
 */
export async function stageOn(
  at: "downloads" | "database",
  size: number,
  set: (options: Pick<StageOptions, "prepareFolder">) => Promise<Stage>,
): Promise<Stage & { disk: SmallDisk }> {
  let disk: SmallDisk | null = null;
  const stage = await set({
    prepareFolder: async (folder) => (disk = await SmallDisk.mount(join(folder, at), size)),
  });
  return { ...stage, disk: disk! };
}

/** Waits until REST reports that a download is queued because the disk is full. */
export function waitForFull({ system }: Stage, downloadId: string): Promise<DownloadRecord> {
  return waitFor(async () => {
    const record = await system.api.download(downloadId);
    return record.status === "queued" && record.error_code === "storage_full" && record;
  }, "the download to wait for room");
}
