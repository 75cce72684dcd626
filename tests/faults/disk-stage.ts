import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { waitFor } from "../support/wait.ts";
import type { Stage, StageOptions } from "./stage.ts";

/* A stage where a folder of the server is a disk of its own, which can be full. */

/** A download that waits for room is looked at this often, in ms. */
export const RECHECK = 5_000;

/** What a server's environment holds to have short writes. */
export const WITH_SHORT_WRITES = {
  BUN_OPTIONS: `--preload=${join(import.meta.dir, "short-writes.ts")}`,
};
/** Rows on another disk than the downloads. */
export const APART = { DATABASE_URL: "sqlite://database/state.db" };

/** @param set makes the stage */
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

/** Waits until a download waits for room, by what REST says. */
export function waitForFull({ system }: Stage, downloadId: string): Promise<DownloadRecord> {
  return waitFor(async () => {
    const record = await system.api.download(downloadId);
    return record.status === "queued" && record.error_code === "storage_full" && record;
  }, "the download to wait for room");
}
