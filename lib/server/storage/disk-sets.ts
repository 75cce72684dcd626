import { readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder, writeNewFile } from "../../util/durable.ts";
import { DiskSetFolder } from "./disk-set-folder.ts";
import { statIfThere, takeName, unlinkIfThere } from "./file-names.ts";
import { onDisk } from "./part.ts";
import { checkedDownloadId, isDownloadId } from "./paths.ts";
import type { SetFolder, SetStorage } from "./storage.ts";

const SET = ".set";
const SUMS = ".sums";
/** A set that was published, and is being removed. */
const REMOVED = ".removed";
/** So many bytes of a set are flushed at a time: each flush is of the whole file system. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;

export interface DiskSetsOptions {
  /** The folder of what is under way, which is this server's alone. */
  parts: string;
  /** The mode of files that operators are to read. */
  fileMode: number;
  /** Checks a name in a client's folder, and gives its path on the disk. */
  publishedPath: (savedPath: string) => string;
  /** The same for any published file, also one in a set. */
  pathOf: (savedPath: string) => string;
  /** Makes the folder of a client, durably. */
  makeFolder: (folder: string) => Promise<void>;
}

/**
 * Keeps sets on the disk: under way in `.server/parts/<download_id>.set/`, published in
 * `<client_id>/<name>/` with the checksums beside it.
 */
export class DiskSets implements SetStorage {
  readonly maxUnsafe = CHECKPOINT_BYTES;
  readonly sharesBytes = true;

  constructor(private readonly options: DiskSetsOptions) {}

  open(downloadId: string): Promise<SetFolder> {
    const { fileMode, pathOf } = this.options;
    return DiskSetFolder.open(this.#path(downloadId, SET), fileMode, pathOf);
  }

  async remove(downloadId: string): Promise<void> {
    const paths = [this.#path(downloadId, SET), this.#path(downloadId, SUMS)];
    await onDisk("remove the set", async () => {
      for (const path of paths) await rm(path, { recursive: true, force: true });
    });
  }

  async list(): Promise<string[]> {
    const names = await onDisk("list the sets", () => readdir(this.options.parts));
    // After a loss of power, checksums can be left of a set that is published.
    const ids = [SET, SUMS].flatMap((suffix) =>
      names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length)),
    );
    return [...new Set(ids)].filter(isDownloadId);
  }

  async publish(
    downloadId: string,
    savedPath: string,
    sums: { suffix: string; text: string },
  ): Promise<boolean> {
    const set = this.#path(downloadId, SET);
    const written = this.#path(downloadId, SUMS);
    const final = this.options.publishedPath(savedPath);
    const finalSums = this.options.publishedPath(savedPath + sums.suffix);
    return onDisk("publish the set", async () => {
      await this.options.makeFolder(dirname(final));
      if (!(await takeFolderName(set, final))) return false;
      try {
        await syncFolder(dirname(final));
        await syncFolder(this.options.parts);
        if (await this.#publishSums(written, finalSums, sums.text)) return true;
      } catch (error) {
        // The next try finds the set where it was. Why it was not published is the error that counts.
        if (await isText(finalSums, sums.text)) await unlinkIfThere(finalSums);
        await rename(final, set).catch(() => undefined);
        throw error;
      }
      // Something else has that name: the set will be published under another one.
      await rename(final, set);
      await syncFolder(dirname(final));
      return false;
    });
  }

  async unpublish(downloadId: string, savedPath: string, suffix: string): Promise<void> {
    const { parts, publishedPath } = this.options;
    const [final, sums] = [publishedPath(savedPath), publishedPath(savedPath + suffix)];
    const removed = this.#path(downloadId, REMOVED);
    await onDisk("remove the set", async () => {
      if (await statIfThere(dirname(final))) {
        await unlinkIfThere(sums);
        await syncFolder(dirname(final));
        // By one rename, as it came: nobody ever sees a part of a set under its name.
        if (await statIfThere(final)) await rename(final, removed);
        await syncFolder(dirname(final));
        await syncFolder(parts);
      }
      await rm(removed, { recursive: true, force: true });
      await syncFolder(parts);
    });
  }

  async #publishSums(written: string, final: string, text: string): Promise<boolean> {
    // Where an earlier call came that far, it is there already.
    const isWritten = (await statIfThere(written)) === null && (await isText(final, text));
    if (!isWritten) {
      // What an earlier call wrote may have its final name already, and may not be whole.
      await unlinkIfThere(written);
      await writeNewFile(written, text, this.options.fileMode);
      if (!(await takeName(written, final)) && !(await isText(final, text))) return false;
    }
    await syncFolder(dirname(final));
    await unlinkIfThere(written);
    return true;
  }

  #path(downloadId: string, suffix: string): string {
    return join(this.options.parts, checkedDownloadId(downloadId) + suffix);
  }
}

/**
 * Moves the folder of a set to its name. rename(2) would replace an empty folder without a word, so
 * it is looked at first: the row reserves the name, and the disk is locked against other servers.
 * @returns false if the name is taken
 */
async function takeFolderName(set: string, final: string): Promise<boolean> {
  const isTaken = (await statIfThere(final)) !== null;
  // Without its folder, an earlier call came that far.
  if (!(await statIfThere(set))) return isTaken;
  if (isTaken) return false;
  await rename(set, final);
  return true;
}

/** Whether a file is there and holds this text. */
async function isText(path: string, text: string): Promise<boolean> {
  const stats = await statIfThere(path);
  return stats !== null && stats.isFile() && (await Bun.file(path).text()) === text;
}
