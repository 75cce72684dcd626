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

/** Wait between two tries to continue, in ms. */
const RETRY_INTERVAL = 500;

/** Shares flushes between files of a set that are saved in the same folder at the same time. */
const folderSync = new SharedSync();

export interface SaveOptions {
  signal: AbortSignal;
  /** Time without a byte, in ms, while the server is away, before it gives up. */
  patience: number;
  /** Called with the number of bytes so far. */
  onProgress: (bytes: number) => void;
}

/**
 * Saves a stored file on this machine. Its name appears only when its checksum is right. Bytes fetched
 * before an interruption, or by an earlier run, are not fetched again.
 * @returns false if the same file was there already
 * @throws Failure where another file has the name, which is never overwritten
 * @throws the reason of the signal when it is aborted; fetched bytes stay for the next time
 */
export async function saveContent(
  api: ApiClient,
  file: StoredFile,
  path: string,
  options: SaveOptions,
): Promise<boolean> {
  if (await isThere(path, file, options.signal)) return false;
  const part = partOf(path, file);
  const wasBegun = await fetchInto(part, api, file, options);
  if (!(await isRight(part, file, options.signal))) {
    await rm(part);
    // The part of an earlier run may be damaged, so the whole file is fetched again.
    if (wasBegun) return saveContent(api, file, path, options);
    throw new Failure(`save it again: the bytes that came for "${path}" are not those of the file`);
  }
  await takeName(part, path, file);
  await folderSync.flush(dirname(path));
  return true;
}

/** The path of the unfinished file. */
export function partOf(path: string, { checksum, digest }: StoredFile): string {
  return partPath(path, `${checksum}:${digest}`);
}

/** Whether a file is here already. @throws Failure where another file has its name */
export async function isThere(
  path: string,
  file: StoredFile,
  signal: AbortSignal,
): Promise<boolean> {
  if (!(await Bun.file(path).exists())) return false;
  if (await isRight(path, file, signal)) return true;
  throw occupied(path, file);
}

async function isRight(name: string, file: StoredFile, signal: AbortSignal): Promise<boolean> {
  const found = await digestsOfFile(name, [file.checksum], signal);
  return found[file.checksum] === file.digest;
}

/**
 * Writes the bytes of a stored file to an output, and compares the checksum at the end.
 * @throws Failure where it is wrong, so that the written bytes are not the file
 * @throws OutputLost when nobody reads the output any more
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

/** Fetches the missing bytes of a part file. @returns true if an earlier run had begun it */
async function fetchInto(
  part: string,
  api: ApiClient,
  file: StoredFile,
  options: SaveOptions,
): Promise<boolean> {
  await using handle = await openPart(part);
  let { size } = await handle.stat();
  const wasBegun = size > 0;
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
  return wasBegun;
}

/** The bytes of a file from an offset on, across interruptions and while the server is away. */
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
        // After the yield, as a reader may take as long as it likes.
        lastByte = performance.now();
      }
    } catch (error) {
      if (!isTransient(error) || performance.now() - lastByte >= patience) throw error;
      await pause(RETRY_INTERVAL, signal);
    }
  }
}

/** Gives a flushed file its name. @throws Failure where something has taken it meanwhile */
export async function takeName(part: string, path: string, file: StoredFile): Promise<void> {
  try {
    // rename() replaces an empty file of our own; not every disk has links.
    await (await open(path, "wx")).close();
  } catch (error) {
    throw systemCode(error) === "EEXIST" ? occupied(path, file) : error;
  }
  await rename(part, path);
}

function occupied(path: string, { downloadId }: StoredFile): Failure {
  return new Failure(
    `move "${path}" away or pass another -o: it is another file; the server keeps the one that was pulled as download ${downloadId}`,
  );
}
