import { basename } from "node:path";
import { entityTag } from "../../api/checksums.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Completed } from "../download.ts";
import type { SetFile, SetRows } from "../set.ts";
import type { Storage, StoredFile } from "../storage/storage.ts";
import { contentDisposition } from "./content.ts";
import { TAR_END, tarHeader, tarPadding } from "./tar.ts";

/** Number of rows of a set's files that one query reads. */
const PAGE = 500;

export interface SetContentOptions {
  rows: Pick<SetRows, "list" | "storedByPath">;
  storage: Pick<Storage, "openFile">;
}

/** A file of a set, opened for reading. */
export interface StoredSetFile {
  file: StoredFile;
  /** Checksum of the file's bytes. */
  digest: string;
  savedPath: string;
}

/** Returns the files of a completed set as a tar archive, which is built while it is sent. */
export function setContentResponse(
  download: Completed,
  request: Request,
  options: SetContentOptions,
) {
  const { savedPath, checksum, digest } = download;
  const name = `${savedPath === null ? "files" : basename(savedPath)}.tar`;
  const headers = {
    "Cache-Control": "private, no-cache",
    "Content-Disposition": contentDisposition(name),
    "Content-Type": "application/x-tar",
    ETag: entityTag(checksum, digest),
    "X-Accel-Buffering": "no",
  };
  if (request.method === "HEAD") return { headers, body: null };
  return { headers, body: streamOf(archiveOf(download, options)) };
}

/**
 * Opens one file of a completed set.
 * @param path path of the file, as stored in its row
 * @throws FdsError `not_found` if the set has no such file, or the file was removed
 */
export async function openSetFile(
  download: Completed,
  path: string,
  { rows, storage }: SetContentOptions,
): Promise<StoredSetFile> {
  const found = await rows.storedByPath(download.downloadId, path);
  const savedPath = found && savedPathOf(download, found);
  if (!savedPath || found.digest === null) {
    throw new FdsError("not_found", "There is no such file in the set");
  }
  const file = await storage.openFile(savedPath);
  if (file?.size !== found.size) throw removed();
  return { file, digest: found.digest, savedPath };
}

/** Returns the path of a set's file, relative to DOWNLOADS_DIR; null: the file is not stored. */
export function savedPathOf(
  { savedPath }: Pick<Completed, "savedPath">,
  { place, status }: SetFile,
): string | null {
  const isStored = status === "received" || status === "unchanged";
  return isStored && savedPath !== null && place !== null ? `${savedPath}/${place}` : null;
}

async function* archiveOf(
  download: Completed,
  { rows, storage }: SetContentOptions,
): AsyncGenerator<Uint8Array> {
  for (let after = -1, isMore = true; isMore;) {
    const files = await rows.list(download.downloadId, { after, limit: PAGE });
    for (const row of files) {
      const savedPath = savedPathOf(download, row);
      if (savedPath === null || row.place === null) continue;
      const file = await storage.openFile(savedPath);
      // The error cuts off the archive, so that it is not mistaken for a complete one.
      if (file?.size !== row.size) throw removed();
      const mtime = Number(BigInt(row.mtimeNs) / 1_000_000_000n);
      yield tarHeader({ path: row.place, size: row.size, mtime });
      const bytes = file.slice(0, file.size);
      yield* bytes instanceof Blob ? bytes.stream() : bytes;
      yield tarPadding(row.size);
    }
    after = files.at(-1)?.index ?? after;
    isMore = files.length === PAGE;
  }
  yield TAR_END;
}

/** Returns a stream whose chunks are made while it is read. */
function streamOf(pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

function removed(): FdsError {
  return new FdsError("not_found", "The file was removed or changed on the server's disk");
}
