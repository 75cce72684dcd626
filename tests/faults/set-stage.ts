import { expect } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import type { SetFileRecord } from "../../lib/api/sets.ts";
import { footprintOf, HAS_PROC } from "../support/footprint.ts";
import { Random } from "../support/random.ts";
import { rowsOf } from "../support/rows.ts";
import {
  flawsOfSet,
  pullSet,
  type SetSource,
  unsafeFiles,
  writeSet,
} from "../support/set-source.ts";
import { waitFor } from "../support/wait.ts";
import { MiB, setStage, type Stage, type StageOptions } from "./stage.ts";

/* A set on a stage, for the rows of the table that are about files in the first place. */

/** Small files, and a large one in the middle of which things break. */
export const SOURCE: SetSource = { small: 40, large: [8 * MiB] };

/** How many files that are. */
export const FILES = SOURCE.small + SOURCE.large.length;

/** The large file, relative to the root. */
export const LARGE = `exports/${SOURCE.small % 7}/${SOURCE.small % 3}/file-${SOURCE.small}.bin`;

/** A stage whose client has {@link SOURCE}. */
export async function stageWithSet(options: Partial<StageOptions> = {}): Promise<Stage> {
  const stage = await setStage({ size: 1, ...options });
  await writeSet(stage.system, new Random(options.seed ?? 1), SOURCE);
  return stage;
}

/** A set whose first bytes are safe; no more come until the proxy releases "up". */
export interface HalfSet {
  downloadId: string;
  /** Its folder under way. */
  folder: string;
}

/** Pulls the set up to the middle of its large file. */
export async function pullHalfSet({ system, proxy }: Stage): Promise<HalfSet> {
  const held = proxy.after("up", 5 * MiB, () => proxy.hold("up"));
  const downloadId = await pullSet(system);
  await held;
  await waitFor(async () => {
    const { bytes_received } = await system.api.download(downloadId);
    return bytes_received > MiB && rowsOf(system).get(downloadId)?.safe_offset === bytes_received;
  }, "all that came to be safe");
  return { downloadId, folder: join(system.serverFolder, "parts", `${downloadId}.set`) };
}

/** B, at any moment: what the rows call safe is there. A row that changes meanwhile proves nothing. */
export async function expectSafeFiles({ system }: Stage, downloadId: string): Promise<void> {
  let last: string[] | undefined;
  await waitFor(async () => {
    const found = await unsafeFiles(system, downloadId);
    const isSame = found.length === 0 || Bun.deepEquals(found, last);
    last = found;
    return isSame;
  }, "rows that stay as they are");
  expect(last).toEqual([]);
}

/** A, B, C and E, once it is over: all files are here and right, and nothing is left behind. */
export async function expectWholeSet(stage: Stage, downloadId: string): Promise<DownloadRecord> {
  const { system } = stage;
  const record = await system.ended(downloadId);
  expect(record).toMatchObject({ status: "completed", files_total: FILES, files_received: FILES });
  expect(flawsOfSet(system, record.saved_path!)).toBe("");
  // The set and its checksums, and nothing of a publishing that failed.
  expect(await readdir(join(system.folder, "downloads/site-1"))).toHaveLength(2);
  await expectSafeFiles(stage, downloadId);
  await expectNothingLeft(stage);
  return record;
}

/** E: no part, and no descriptor on a file of the site or of what was under way. */
export async function expectNothingLeft({ system }: Stage): Promise<void> {
  await system.expectNoParts();
  const parts = join(system.serverFolder, "parts/");
  for (const program of HAS_PROC ? system.programs : []) {
    await waitFor(async () => {
      const { files } = await footprintOf(program);
      return !files.some((path) => path.startsWith(parts) || path.startsWith(system.source("")));
    }, `${program.name} to let go of its files`);
  }
}

/** The files of a set that did not come, by path. */
export async function skippedOf(
  { system }: Stage,
  { download_id }: DownloadRecord,
): Promise<SetFileRecord[]> {
  return (await system.api.setFiles(download_id, { status: "skipped" })).files;
}
