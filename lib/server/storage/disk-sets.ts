import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder, writeNewFile } from "../../util/durable.ts";
import { checkedDownloadId } from "./paths.ts";
import { AttemptNames } from "./attempt-names.ts";
import { DiskSetFolder } from "./disk-set-folder.ts";
import { renameIfThere, statIfThere, takeName, unlinkIfThere } from "./file-names.ts";
import { onDisk } from "./part.ts";
import type { IsOurs, SetFolder, SetStorage } from "./storage.ts";

const SET = ".set";
const SUMS = ".sums";
/** Ending of the name that a published set's folder gets while it is being removed. */
const REMOVED = ".removed";
/**
 * Number of bytes of a set that are written between two flushes. It is large because each flush covers the
 * whole file system.
 */
const CHECKPOINT_BYTES = 32 * 1024 * 1024;

export interface DiskSetsOptions {
  /** The folder of unfinished files and sets. */
  parts: string;
  /** True: several servers write to this folder. */
  isShared: boolean;
  /** Mode of the files, which lets operators read them. */
  fileMode: number;
  /** Checks the saved path of a published file or set, and returns its absolute path. */
  publishedPath: (savedPath: string) => string;
  /** Checks the saved path of a published file, which may be in a set, and returns its absolute path. */
  pathOf: (savedPath: string) => string;
  /**
   * Creates a client's folder, and flushes the downloads folder so that the new folder survives a power cut.
   */
  makeFolder: (folder: string) => Promise<void>;
}

/**
 * Stores sets on the disk: unfinished ones in `.server/parts/<download_id>.set/`, published ones in
 * `<client_id>/<name>/` with a file of checksums beside the folder.
 */
export class DiskSets implements SetStorage {
  /**
   * Maximum number of bytes written but not durable: twice `checkpointBytes`, so that bytes can go on
   * arriving while a flush runs.
   */
  readonly maxUnflushed = 2 * CHECKPOINT_BYTES;
  readonly checkpointBytes = CHECKPOINT_BYTES;
  readonly sharesBytes = true;

  readonly #folders: AttemptNames;
  readonly #sums: AttemptNames;

  constructor(private readonly options: DiskSetsOptions) {
    const { parts, isShared } = options;
    this.#folders = new AttemptNames(parts, SET, isShared);
    this.#sums = new AttemptNames(parts, SUMS, isShared);
  }

  async open(downloadId: string, epoch = 0): Promise<SetFolder> {
    const { fileMode, pathOf } = this.options;
    const formerFolders = await onDisk("open the folder of the set", () =>
      this.#takeFormerFolders(downloadId, epoch),
    );
    return DiskSetFolder.open(this.#folders.pathOf(downloadId, epoch), {
      fileMode,
      pathOf,
      formerFolders,
      onClose: () => this.#folders.recordEnd(downloadId, epoch),
    });
  }

  async remove(downloadId: string): Promise<void> {
    await onDisk("remove the set", async () => {
      for (const names of [this.#folders, this.#sums]) {
        for (const { path } of await names.all(downloadId)) {
          await rm(path, { recursive: true, force: true });
        }
        names.forget(downloadId);
      }
    });
  }

  async list(): Promise<string[]> {
    // After a power cut, the checksums file of a published set may still be in the folder of unfinished sets.
    return onDisk("list the sets", async () => {
      const ids = [...(await this.#folders.list()), ...(await this.#sums.list())];
      return [...new Set(ids)];
    });
  }

  async publish(
    downloadId: string,
    savedPath: string,
    sums: { suffix: string; text: string },
    epoch = 0,
    isOurs: IsOurs = async () => true,
  ): Promise<boolean> {
    const unpublishedSums = this.#sums.pathOf(downloadId, epoch);
    const final = this.options.publishedPath(savedPath);
    const finalSums = this.options.publishedPath(savedPath + sums.suffix);
    return onDisk("publish the set", async () => {
      const set = await this.#folderOf(downloadId, epoch);
      await this.options.makeFolder(dirname(final));
      if (!(await takeFolderName(set, final))) return false;
      try {
        await syncFolder(dirname(final));
        await syncFolder(this.options.parts);
        if (await this.#publishSums(unpublishedSums, finalSums, sums.text)) return true;
      } catch (error) {
        // The set is moved back so that the next try finds it, unless another server has taken over the
        // publishing. Errors of these steps are ignored, so that the error that stopped the publishing is
        // reported.
        if (await isOurs().catch(() => false)) {
          await unlinkIfText(finalSums, sums.text).catch(() => undefined);
          await rename(final, set).catch(() => undefined);
        }
        throw error;
      }
      // The name of the checksums file is taken. Move the set back, to be published under another name.
      await rename(final, set);
      await syncFolder(dirname(final));
      return false;
    });
  }

  async unpublish(downloadId: string, savedPath: string, suffix: string): Promise<void> {
    const { parts, publishedPath } = this.options;
    const [final, sums] = [publishedPath(savedPath), publishedPath(savedPath + suffix)];
    const removed = join(parts, checkedDownloadId(downloadId) + REMOVED);
    await onDisk("remove the set", async () => {
      if (await statIfThere(dirname(final))) {
        await unlinkIfThere(sums);
        await syncFolder(dirname(final));
        // One rename moves the set away, so that nobody ever sees an incomplete set under its published name.
        await renameIfThere(final, removed);
        await syncFolder(dirname(final));
        await syncFolder(parts);
      }
      await rm(removed, { recursive: true, force: true });
      await syncFolder(parts);
    });
  }

  async #publishSums(unpublished: string, final: string, text: string): Promise<boolean> {
    // An earlier, interrupted call may already have published the checksums file.
    const isPublished = (await statIfThere(unpublished)) === null && (await isText(final, text));
    if (!isPublished) {
      // Remove the file of an earlier, interrupted call, because it may be incomplete.
      await unlinkIfThere(unpublished);
      await writeNewFile(unpublished, text, this.options.fileMode);
      if (!(await takeName(unpublished, final)) && !(await isText(final, text))) return false;
    }
    await syncFolder(dirname(final));
    await unlinkIfThere(unpublished);
    return true;
  }

  /**
   * Returns the path of the set's folder: this attempt's if it exists, else the latest earlier attempt's. If
   * no attempt has a folder, returns the path that this attempt's folder would have.
   */
  async #folderOf(downloadId: string, epoch: number): Promise<string> {
    const ownPath = this.#folders.pathOf(downloadId, epoch);
    if (!this.options.isShared || (await statIfThere(ownPath))) return ownPath;
    return (await this.#folders.latest(downloadId, epoch))?.path ?? ownPath;
  }

  /**
   * Returns the paths of the folders of earlier attempts, latest first. If no process writes to the latest of
   * these folders any more, it is renamed to become this attempt's folder, and is not returned. The result is
   * empty if this attempt already has a folder.
   */
  async #takeFormerFolders(downloadId: string, epoch: number): Promise<string[]> {
    const ownPath = this.#folders.pathOf(downloadId, epoch);
    if (!this.options.isShared || (await statIfThere(ownPath))) return [];
    const all = (await this.#folders.all(downloadId)).filter((each) => each.epoch < epoch);
    const last = all.at(-1);
    if (last && this.#folders.hasNoWriter(downloadId, last.epoch)) {
      await rename(last.path, ownPath);
      all.pop();
    }
    return all.toReversed().map(({ path }) => path);
  }
}

/**
 * Renames a set's folder to its final name. rename(2) silently replaces an empty folder, so the name is
 * checked first. Nothing can take the name between the check and the rename, because the download's row
 * reserves it, and only servers that use the same rows write to the downloads folder.
 * @returns false if the name is taken
 */
async function takeFolderName(set: string, final: string): Promise<boolean> {
  const isTaken = (await statIfThere(final)) !== null;
  // If only the final name exists, an earlier, interrupted call has already renamed the set's folder.
  if (!(await statIfThere(set))) return isTaken;
  if (isTaken) return false;
  await rename(set, final);
  return true;
}

/** Removes a file if it holds exactly this text. */
async function unlinkIfText(path: string, text: string): Promise<void> {
  if (await isText(path, text)) await unlinkIfThere(path);
}

/** Whether a file exists and holds exactly this text. */
async function isText(path: string, text: string): Promise<boolean> {
  const stats = await statIfThere(path);
  return stats !== null && stats.isFile() && (await Bun.file(path).text()) === text;
}
