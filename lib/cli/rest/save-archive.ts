import { rm } from "node:fs/promises";
import type { DownloadRecord } from "../../api/schemas.ts";
import { Failure } from "../program.ts";
import type { ApiClient } from "./api-client.ts";
import { openPart } from "./part-file.ts";
import { partOf } from "./save-content.ts";
import { SavedBatch } from "./saved-batch.ts";
import type { StoredFile } from "./stored-file.ts";
import { TarReader } from "./tar-reader.ts";

/** A file of a set, and how far it has been saved on this machine. */
export interface LocalFile {
  stored: StoredFile;
  /** The file's path within the set, with forward slashes. */
  pathInSet: string;
  /** The file's path on this machine. */
  path: string;
  /**
   * `missing`: nothing was fetched. `partial`: an earlier run fetched some of the bytes. `done`: the file is
   * saved, or failed.
   */
  state: "missing" | "partial" | "done";
  /** The number of this file's bytes that the shown progress includes. */
  countedBytes: number;
}

export interface SaveArchiveOptions {
  /** The folder on this machine in which the set is saved. */
  folder: string;
  signal: AbortSignal;
  onBytes: (file: LocalFile, bytes: number) => void;
  onSaved: (file: LocalFile) => void;
  /**
   * Called with an error that occurred while a file was saved.
   * @throws the error itself, if it concerns all files
   */
  onProblem: (file: LocalFile, error: unknown) => void;
}

/**
 * Saves the missing files of a set from its archive. A file with a wrong digest is not saved, and stays
 * missing.
 * @param files all files of the archive, in the archive's order
 * @throws Failure where a file in the archive has another path or size than the file with the same index in
 *   `files`
 * @throws errors of {@link ApiClient}, after saving the files that were complete
 */
export async function saveArchive(
  api: ApiClient,
  record: DownloadRecord,
  files: readonly LocalFile[],
  { folder, signal, onBytes, onSaved, onProblem }: SaveArchiveOptions,
): Promise<void> {
  const archive = new TarReader(api.archive(record, signal));
  using batch = new SavedBatch<LocalFile & { part: string }>({ folder, onSaved, onProblem });
  try {
    for (const file of files) {
      const found = await archive.next();
      if (found?.path !== file.pathInSet || found.size !== file.stored.size) {
        throw new Failure("look at the server: the archive is not that of the set");
      }
      if (file.state !== "missing") continue;
      const part = partOf(file.path, file.stored);
      const isRight = await write(archive, part, file, onBytes, onProblem);
      if (isRight) await batch.add(Object.assign(file, { part }));
    }
  } finally {
    await archive.close();
    await batch.publish();
  }
}

/**
 * Writes a file from the archive to its part.
 * @returns true where the digest was right; false where it was wrong, or where `onProblem` got an error
 */
async function write(
  archive: TarReader,
  part: string,
  file: LocalFile,
  onBytes: SaveArchiveOptions["onBytes"],
  onProblem: SaveArchiveOptions["onProblem"],
): Promise<boolean> {
  const { checksum, digest, modifiedAt } = file.stored;
  const hash = new Bun.CryptoHasher(checksum);
  try {
    await using handle = await openPart(part);
    await handle.truncate();
    let size = 0;
    for await (const piece of archive.data()) {
      hash.update(piece);
      await handle.appendFile(piece);
      onBytes(file, (size += piece.length));
    }
    if (modifiedAt !== undefined) await handle.utimes(new Date(modifiedAt), new Date(modifiedAt));
  } catch (error) {
    onProblem(file, error);
    return false;
  }
  if (hash.digest("hex") === digest) return true;
  await rm(part);
  return false;
}
