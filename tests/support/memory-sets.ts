import { FdsError } from "../../lib/protocol/errors.ts";
import type { SetFolder, SetStorage } from "../../lib/server/storage/storage.ts";
import { checkedPublishedPath, checkedSetFile } from "../../lib/server/storage/paths.ts";
import { MemoryPart, type MemoryStorage } from "./memory-storage.ts";

/** The folder of an unfinished set, in memory. Only bytes covered by sync() count as durable. */
class MemorySetFolder implements SetFolder {
  readonly parts = new Map<string, MemoryPart>();

  constructor(private readonly storage: MemoryStorage) {}

  writeFile = (path: string, bytes: Uint8Array): void => {
    if (this.storage.full) throw new FdsError("storage_full", "there is no room");
    const part = new MemoryPart(this.storage);
    part.bytes = new Uint8Array(bytes);
    this.parts.set(checkedSetFile(path), part);
  };
  openFile = async (path: string): Promise<MemoryPart> => {
    const part = this.parts.get(checkedSetFile(path)) ?? new MemoryPart(this.storage);
    part.closed = false;
    this.parts.set(path, part);
    return part;
  };
  readonly hasFormerFolders = false;
  takeOver = async (): Promise<void> => undefined;
  dropFormerFolders = async (): Promise<void> => undefined;
  empty = async (): Promise<void> => this.parts.clear();
  setTime = async (): Promise<void> => undefined;
  linkFile = async (path: string, savedPath: string, size: number): Promise<boolean> => {
    const bytes = this.storage.files.get(savedPath);
    if (bytes?.length !== size) return false;
    this.writeFile(path, bytes);
    return true;
  };
  sizeOf = (path: string): number | null => this.parts.get(checkedSetFile(path))?.size ?? null;
  removeFile = async (path: string): Promise<void> => void this.parts.delete(checkedSetFile(path));
  sync = async (): Promise<void> => {
    for (const part of this.parts.values()) await part.sync();
  };
  close = async (): Promise<void> => undefined;
}

/** A storage for sets, in memory. */
export class MemorySets implements SetStorage {
  maxUnflushed = 64 * 1024 * 1024;
  checkpointBytes = 64 * 1024 * 1024;
  readonly sharesBytes = true;
  readonly folders = new Map<string, MemorySetFolder>();

  constructor(private readonly storage: MemoryStorage) {}

  open = async (downloadId: string): Promise<MemorySetFolder> => {
    const folder = this.folders.get(downloadId) ?? new MemorySetFolder(this.storage);
    this.folders.set(downloadId, folder);
    return folder;
  };
  remove = async (downloadId: string): Promise<void> => void this.folders.delete(downloadId);
  list = async (): Promise<string[]> => [...this.folders.keys()];
  publish = async (
    downloadId: string,
    savedPath: string,
    sums: { suffix: string; text: string },
  ): Promise<boolean> => {
    const { files } = this.storage;
    const folder = this.folders.get(downloadId);
    const names = [...files.keys()];
    const isThere = names.some((name) => name === savedPath || name.startsWith(`${savedPath}/`));
    if (!folder) return isThere;
    if (isThere || files.has(savedPath + sums.suffix)) return false;
    for (const [path, { bytes }] of folder.parts) files.set(`${savedPath}/${path}`, bytes);
    files.set(savedPath + sums.suffix, new TextEncoder().encode(sums.text));
    this.folders.delete(downloadId);
    return true;
  };
  unpublish = async (_: string, savedPath: string, suffix: string): Promise<void> => {
    const { files } = this.storage;
    files.delete(checkedPublishedPath(savedPath) + suffix);
    const own = [...files.keys()].filter((name) => name.startsWith(`${savedPath}/`));
    for (const name of own) files.delete(name);
  };
}
