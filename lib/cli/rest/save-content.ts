import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Output } from "../../util/output.ts";
import { SharedSync } from "../../util/shared-sync.ts";
import { systemCode } from "../../util/system-error.ts";
import type { ApiClient } from "./api-client.ts";
import { isTransient } from "./api-errors.ts";
import { digestsOfFile } from "../checksums.ts";
import { pause } from "../pause.ts";
import { Failure } from "../program.ts";
import { openPart, partPath } from "./part-file.ts";
import type { StoredFile } from "./stored-file.ts";

/** Wait before fetching continues after an interruption, in ms. */
const RETRY_INTERVAL = 500;

/** Combines the flushes of a folder in which several files are saved at the same time. */
const folderSync = new SharedSync();

export interface SaveOptions {
  signal: AbortSignal;
  /** Time without a received byte after which fetching from an unreachable server fails, in ms. */
  patience: number;
  /** Called after each received piece, with the number of the file's bytes that are saved so far. */
  onProgress: (bytes: number) => void;
}

/**
 * Saves a stored file on this machine. The final name appears only once the checksum is right. Bytes fetched
 * before an interruption, or by an earlier run, are not fetched again.
 * @returns false if the same file existed already
 * @throws Failure where another file has the name, which is never overwritten
 * @throws the reason of `signal` when `signal` is aborted; the next run continues with the fetched bytes
 */
export async function saveContent(
  api: ApiClient,
  file: StoredFile,
  path: string,
  options: SaveOptions,
): Promise<boolean> {
  if (await isSaved(path, file, options.signal)) return false;
  const part = partOf(path, file);
  const hadPart = await fetchInto(part, api, file, options);
  if (!(await isRight(part, file, options.signal))) {
    await rm(part);
    // The part of an earlier run may be damaged, so the whole file is fetched again.
    if (hadPart) return saveContent(api, file, path, options);
    throw new Failure(`save it again: the bytes that came for "${path}" are not those of the file`);
  }
  await takeName(part, path, file);
  await folderSync.flush(dirname(path));
  return true;
}

/** Returns the path of the part for a final path. The part contains the unfinished file. */
export function partOf(path: string, { checksum, digest }: StoredFile): string {
  return partPath(path, `${checksum}:${digest}`);
}

/**
 * Reports whether the file exists already with the right checksum.
 * @throws Failure where another file has the name
 */
export async function isSaved(
  path: string,
  file: StoredFile,
  signal: AbortSignal,
): Promise<boolean> {
  if (!(await Bun.file(path).exists())) return false;
  if (await isRight(path, file, signal)) return true;
  throw occupiedFailure(path, file);
}

async function isRight(name: string, file: StoredFile, signal: AbortSignal): Promise<boolean> {
  const found = await digestsOfFile(name, [file.checksum], signal);
  return found[file.checksum] === file.digest;
}

/**
 * Writes the bytes of a stored file to an output, and compares the checksum at the end.
 * @throws Failure where the checksum is wrong, so the written bytes must be discarded
 * @throws OutputLost where the output cannot be written any more
 */
export async function streamContent(
  api: ApiClient,
  file: StoredFile,
  output: Pick<Output, "send">,
  options: SaveOptions,
): Promise<void> {
  const hasher = new Bun.CryptoHasher(file.checksum);
  let written = 0;
  for await (const piece of content(api, file, 0, options)) {
    hasher.update(piece);
    await output.send(piece, options.signal);
    options.onProgress((written += piece.length));
  }
  if (hasher.digest("hex") === file.digest) return;
  throw new Failure("throw away what was written, and pull again: it is not the file");
}

/** Appends the missing bytes to a part, and flushes it. @returns true if an earlier run had begun the part */
async function fetchInto(
  part: string,
  api: ApiClient,
  file: StoredFile,
  options: SaveOptions,
): Promise<boolean> {
  await using handle = await openPart(part);
  let { size } = await handle.stat();
  const hadPart = size > 0;
  if (size > file.size) await handle.truncate((size = 0));
  for await (const piece of content(api, file, size, options)) {
    await handle.appendFile(piece);
    options.onProgress((size += piece.length));
  }
  if (file.modifiedAt !== undefined) {
    const time = new Date(file.modifiedAt);
    await handle.utimes(time, time);
  }
  await handle.sync();
  return hadPart;
}

/**
 * Yields the bytes of a file from an offset on. Continues after interruptions, for up to `patience` ms
 * without a received byte.
 */
async function* content(
  api: ApiClient,
  file: StoredFile,
  offset: number,
  { signal, patience }: SaveOptions,
): AsyncGenerator<Uint8Array> {
  for (let lastByte = performance.now(); offset < file.size;) {
    try {
      for await (const piece of api.content(file, offset, signal)) {
        offset += piece.length;
        yield piece;
        // Set after the yield, so that time spent by a slow consumer does not count as silence of the server.
        lastByte = performance.now();
      }
    } catch (error) {
      if (!isTransient(error) || performance.now() - lastByte >= patience) throw error;
      await pause(RETRY_INTERVAL, signal);
    }
  }
}

/** Renames a flushed part to its final path. @throws Failure where a file has this path already */
export async function takeName(part: string, path: string, file: StoredFile): Promise<void> {
  try {
    // Reserves the name by an empty file, which rename() then replaces. A hard link would not need this, but
    // not every disk supports hard links.
    await (await open(path, "wx")).close();
  } catch (error) {
    throw systemCode(error) === "EEXIST" ? occupiedFailure(path, file) : error;
  }
  await rename(part, path);
}

function occupiedFailure(path: string, { downloadId }: StoredFile): Failure {
  return new Failure(
    `move "${path}" away or pass another -o: it is another file; the server keeps the one that was pulled as download ${downloadId}`,
  );
}
