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

/** Between two tries to go on, in ms. */
const RETRY_INTERVAL = 500;

/** Files of a set that are saved in one folder at the same time share its flushes. */
const folderSync = new SharedSync();

export interface SaveOptions {
  signal: AbortSignal;
  /** How long no byte may come while the server is away, in ms. */
  patience: number;
  /** Told how many bytes are there. */
  onProgress: (bytes: number) => void;
}

/**
 * Saves a file that the server keeps on this machine. A name appears only once its checksum
 * is right; what was fetched before a break, or before this program was ended, is not fetched again.
 * @returns false if the very same file was there already
 * @throws Failure where another file has the name, which is never overwritten
 * @throws the reason of the signal when it is aborted; what was fetched stays for the next time
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
    // what an earlier run left behind may be damaged: the whole file once more
    if (wasBegun) return saveContent(api, file, path, options);
    throw new Failure(`save it again: the bytes that came for "${path}" are not those of the file`);
  }
  await takeName(part, path, file);
  await folderSync.flush(dirname(path));
  return true;
}

/** The path of a file until it is whole. */
export function partOf(path: string, { checksum, digest }: StoredFile): string {
  return partPath(path, `${checksum}:${digest}`);
}

/** Whether a file is here already. @throws Failure where another one has its name */
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
 * Writes the bytes of a file that the server keeps, and compares their checksum at the end.
 * @throws Failure where it is another one: what was written is not the file
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

/** Fetches what a part file lacks. @returns true if an earlier run had begun it */
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

/** The bytes of a file from an offset on, over breaks and while the server is away. */
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
        // after the yield: a reader may take as long as it likes
        lastByte = performance.now();
      }
    } catch (error) {
      if (!isTransient(error) || performance.now() - lastByte >= patience) throw error;
      await pause(RETRY_INTERVAL, signal);
    }
  }
}

/** Gives a file that is flushed its name. @throws Failure where something has taken that meanwhile */
export async function takeName(part: string, path: string, file: StoredFile): Promise<void> {
  try {
    // An empty file of our own is what rename() replaces; links are not to be had everywhere.
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
