import { randomFillSync } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { formatSize } from "../../util/sizes.ts";
import {
  CHECKSUMS_FILE,
  digestsOfFile,
  parseChecksums,
  readChecksums,
  withChecksum,
  writeChecksums,
} from "../checksums.ts";
import { Failure } from "../program.ts";

export const TEST_FILE_NAME = "file_to_download.txt";

/** The number of bytes that are generated, hashed and written at a time. It bounds the memory in use. */
const PIECE_BYTES = 1024 ** 2;

/** A file of random bytes that a client can serve. */
export interface TestFile {
  clientId: string;
  /** Path relative to the folder of `checksums.txt`, with forward slashes as in `md5sum`. */
  path: string;
  md5: string;
  /** Whether the file was made. False means that a correct file existed already. */
  made: boolean;
}

export interface TestFileOptions {
  /** The folder that contains `test-files/` and `checksums.txt`. */
  folder: string;
  clientIds: string[];
  /** The size of each file, in bytes. */
  size: number;
  /** Whether to make files again that exist and are correct. */
  force?: boolean;
  /** Disk space that must stay free after the files are made, in bytes. */
  reserve: number;
  /** Aborts the work. Incomplete files are removed. */
  signal: AbortSignal;
  onProgress?: (clientId: string, step: "checking" | "making", bytes: number) => void;
}

/** Returns the ids of clients that get test files: `restaurant-001`, `restaurant-002`, … */
export function testClientIds(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `restaurant-${String(i + 1).padStart(3, "0")}`);
}

/** Returns the path of a client's test file, relative to the folder of `checksums.txt`. */
export function testFilePath(clientId: string): string {
  return `test-files/${clientId}/${TEST_FILE_NAME}`;
}

/**
 * Makes missing or wrong test files, and records the MD5 of each one in `checksums.txt`. The function can be
 * run again after any interruption.
 * @throws Failure when there is not enough disk space, before anything is written
 * @throws the reason of `signal` when `signal` is aborted
 */
export async function makeTestFiles(options: TestFileOptions): Promise<TestFile[]> {
  const sumsFile = join(options.folder, CHECKSUMS_FILE);
  const { sums: recorded } = parseChecksums(await readChecksums(sumsFile));
  const existingMd5s = new Map<string, string>();
  for (const clientId of options.force ? [] : options.clientIds) {
    const md5 = await md5IfRight(clientId, recorded.get(testFilePath(clientId)), options);
    if (md5 !== null) existingMd5s.set(clientId, md5);
  }
  const bytesToMake = (options.clientIds.length - existingMd5s.size) * options.size;
  if (bytesToMake > 0) await requireRoom(options.folder, bytesToMake + options.reserve);

  const files: TestFile[] = [];
  for (const clientId of options.clientIds) {
    const path = testFilePath(clientId);
    const existingMd5 = existingMd5s.get(clientId);
    const md5 = existingMd5 ?? (await makeFile(clientId, options));
    files.push({ clientId, path, md5, made: existingMd5 === undefined });
    if (existingMd5 !== undefined) continue;
    // The MD5 is recorded after each file, so that an interrupted run does not make the file again.
    await writeChecksums(sumsFile, withChecksum(await readChecksums(sumsFile), path, md5));
  }
  return files;
}

/**
 * Returns the MD5 of an existing test file with the right size and the recorded MD5. Otherwise returns null.
 */
async function md5IfRight(
  clientId: string,
  recorded: string | undefined,
  { folder, size, signal, onProgress }: TestFileOptions,
): Promise<string | null> {
  const file = join(folder, testFilePath(clientId));
  const found = await stat(file).catch(() => null);
  if (!recorded || !found?.isFile() || found.size !== size) return null;
  let checked = 0;
  const { md5 } = await digestsOfFile(file, ["md5"], signal, (bytes) => {
    onProgress?.(clientId, "checking", (checked += bytes));
  });
  return md5 === recorded ? md5 : null;
}

/**
 * Checks the free space on the disk of an existing folder.
 * @param needed bytes that must be free
 * @throws Failure where less space is free
 */
export async function requireRoom(folder: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new Failure(
    `free some disk space or pass a smaller --size: ${formatSize(needed)} are needed in "${folder}", ${formatSize(free)} are free`,
  );
}

/**
 * Writes a test file under a temporary name and renames it, so that a file with the final name is always
 * complete.
 * @returns the MD5 of the file
 */
async function makeFile(clientId: string, options: TestFileOptions): Promise<string> {
  const folder = join(options.folder, "test-files", clientId);
  await mkdir(folder, { recursive: true });
  await removeLeftovers(folder);
  const temporary = join(folder, `.${TEST_FILE_NAME}.${crypto.randomUUID()}.tmp`);
  try {
    const md5 = await writeRandomBytes(temporary, options.size, options.signal, (bytes) =>
      options.onProgress?.(clientId, "making", bytes),
    );
    await rename(temporary, join(folder, TEST_FILE_NAME));
    return md5;
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Removes temporary files that a killed run left behind. A run that is still active loses its temporary file,
 * too, and fails with a message.
 */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(`.${TEST_FILE_NAME}.`) && name.endsWith(".tmp"))
      await rm(join(folder, name));
  }
}

/** Writes a new file of random bytes. @returns the MD5 of the bytes in lower-case hex */
async function writeRandomBytes(
  file: string,
  size: number,
  signal: AbortSignal,
  onProgress: (written: number) => void,
): Promise<string> {
  const hasher = new Bun.CryptoHasher("md5");
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, size));
  await using handle = await open(file, "wx");
  for (let written = 0; written < size;) {
    signal.throwIfAborted();
    const piece = buffer.subarray(0, Math.min(buffer.length, size - written));
    randomFillSync(piece);
    hasher.update(piece);
    await writeAll(handle, piece);
    written += piece.length;
    onProgress(written);
  }
  return hasher.digest("hex");
}

/** Writes all bytes, as a single write can write fewer bytes without an error. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done);
    done += bytesWritten;
  }
}
