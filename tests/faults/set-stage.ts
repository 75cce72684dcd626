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

/* A server and a client with a set, for those rows of the fault table that test single files too. */

/** Small files, and a large one during whose transfer the faults occur. */
export const SOURCE: SetSource = { small: 40, large: [8 * MiB] };

/** The number of files in the set. */
export const FILES = SOURCE.small + SOURCE.large.length;

/** Path of the large file, relative to the root. */
export const LARGE = `exports/${SOURCE.small % 7}/${SOURCE.small % 3}/file-${SOURCE.small}.bin`;

/** Sets up a stage whose client has the files of {@link SOURCE}. */
export async function stageWithSet(options: Partial<StageOptions> = {}): Promise<Stage> {
  const stage = await setStage({ size: 1, ...options });
  await writeSet(stage.system, new Random(options.seed ?? 1), SOURCE);
  return stage;
}

/**
 * A set of which some bytes are durable. Its transfer is stopped until the test releases the proxy's
 * direction "up".
 */
export interface HalfSet {
  downloadId: string;
  /** The folder of the unfinished set at the server. */
  folder: string;
}

/**
 * Starts a download of the set, stops it in the middle of the large file, and waits until all bytes received
 * are durable.
 */
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

/** Expects invariant B for a set, at any time. Rows that change during the check are checked again. */
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

/**
 * Expects invariants A, B, C and E when the download has ended: all files are right, and nothing is left
 * behind.
 */
export async function expectWholeSet(stage: Stage, downloadId: string): Promise<DownloadRecord> {
  const { system } = stage;
  const record = await system.ended(downloadId);
  expect(record).toMatchObject({ status: "completed", files_total: FILES, files_received: FILES });
  expect(flawsOfSet(system, record.saved_path!)).toBe("");
  // There are only the set's folder and its checksums, and no remains of a failed publishing.
  expect(await readdir(join(system.folder, "downloads/site-1"))).toHaveLength(2);
  await expectSafeFiles(stage, downloadId);
  await expectNothingLeft(stage);
  return record;
}

/** Expects invariant E: no parts are left, and no program has a file of the site or a part open. */
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

/** Returns the records of a set's skipped files, by path. */
export async function skippedOf(
  { system }: Stage,
  { download_id }: DownloadRecord,
): Promise<SetFileRecord[]> {
  return (await system.api.setFiles(download_id, { status: "skipped" })).files;
}
