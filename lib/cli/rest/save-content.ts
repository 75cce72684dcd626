import { open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { syncFolder } from "../../util/durable.ts";
import { systemCode } from "../../util/system-error.ts";
import { type ApiClient, UnreachableError } from "./api-client.ts";
import { digestsOfFile } from "../checksums.ts";
import { pause } from "../pause.ts";
import { Failure } from "../program.ts";

/** Between two tries to go on, in ms. */
const RETRY_INTERVAL = 500;

export interface SaveOptions {
  signal: AbortSignal;
  /** How long no byte may come while the server is away, in ms. */
  patience: number;
  /** Told how many bytes are there. */
  onProgress: (bytes: number) => void;
}

/**
 * Finds out where a file is to be saved.
 * @param output a file's path, or a folder that is there
 * @param filePath the file as its client knows it
 * @throws Failure where there is no such folder
 */
export async function localPath(output: string, filePath: string): Promise<string> {
  const found = await stat(output).catch(() => null);
  if (found?.isDirectory()) return join(output, basename(filePath.replaceAll("\\", "/")));
  const folder = await stat(dirname(output)).catch(() => null);
  if (folder?.isDirectory()) return output;
  throw new Failure(`make the folder "${dirname(output)}" first, "${output}" is to be saved there`);
}

/**
 * Saves the bytes of a completed download on this machine. A name appears only once its checksum
 * is right; what was fetched before a break, or before this program was ended, is not fetched again.
 * @returns false if the very same file was there already
 * @throws Failure where another file has the name, which is never overwritten
 * @throws the reason of the signal when it is aborted; what was fetched stays for the next time
 */
export async function saveContent(
  api: ApiClient,
  record: DownloadRecord,
  path: string,
  options: SaveOptions,
): Promise<boolean> {
  const digest = digestOf(record);
  const isRight = async (file: string) => {
    const found = await digestsOfFile(file, [record.checksum], options.signal);
    return found[record.checksum] === digest;
  };
  if (await Bun.file(path).exists()) {
    if (await isRight(path)) return false;
    throw occupied(path, record);
  }
  const part = join(dirname(path), `.${basename(path)}.${digest}.part`);
  const wasBegun = Bun.file(part).size > 0;
  await fetchInto(part, api, record, options);
  if (!(await isRight(part))) {
    await rm(part);
    // what an earlier run left behind may be damaged: the whole file once more
    if (wasBegun) return saveContent(api, record, path, options);
    throw new Failure(`save it again: the bytes that came for "${path}" are not those of the file`);
  }
  await publish(part, path, record);
  return true;
}

/** Fetches what a part file lacks, and waits while the server is away. */
async function fetchInto(
  part: string,
  api: ApiClient,
  record: DownloadRecord,
  { signal, patience, onProgress }: SaveOptions,
): Promise<void> {
  const total = record.total_size ?? 0;
  await using handle = await open(part, "a");
  let { size } = await handle.stat();
  if (size > total) await handle.truncate((size = 0));
  for (let lastByte = performance.now(); size < total;) {
    try {
      for await (const piece of api.content(record, size, signal)) {
        await handle.appendFile(piece);
        size += piece.length;
        lastByte = performance.now();
        onProgress(size);
      }
    } catch (error) {
      const isAway = error instanceof UnreachableError;
      if (!isAway || performance.now() - lastByte >= patience) throw error;
      await pause(RETRY_INTERVAL, signal);
    }
  }
  await handle.sync();
}

/** Gives the file its name, if nothing has taken that meanwhile. */
async function publish(part: string, path: string, record: DownloadRecord): Promise<void> {
  try {
    // An empty file of our own is what rename() replaces; links are not to be had everywhere.
    await (await open(path, "wx")).close();
  } catch (error) {
    throw systemCode(error) === "EEXIST" ? occupied(path, record) : error;
  }
  await rename(part, path);
  await syncFolder(dirname(path));
}

function occupied(path: string, { download_id }: DownloadRecord): Failure {
  return new Failure(
    `move "${path}" away or pass another -o: it is another file; the server keeps the one that was pulled as download ${download_id}`,
  );
}
