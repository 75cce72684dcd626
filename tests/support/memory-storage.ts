import { FdsError } from "../../lib/protocol/errors.ts";
import {
  checkedClientId,
  checkedDownloadId,
  checkedFilePath,
  checkedPublishedPath,
} from "../../lib/server/storage/paths.ts";
import { MemorySets } from "./memory-sets.ts";
import type { Part, FreeSpace, Storage, StoredFile } from "../../lib/server/storage/storage.ts";

/** A part in memory. Only bytes covered by sync() count as durable. */
export class MemoryPart implements Part {
  bytes = new Uint8Array(0);
  readonly maxUnflushed = 8 * 1024 * 1024;
  synced = 0;
  closed = false;
  /** Delays each write() until this promise resolves. */
  held: Promise<void> = Promise.resolve();

  constructor(private readonly disk: { full: boolean } = { full: false }) {}

  get size(): number {
    return this.bytes.length;
  }
  truncate = async (size: number) => {
    this.bytes = this.bytes.slice(0, size);
    this.synced = Math.min(this.synced, size);
  };
  write = async (chunk: Uint8Array, offset: number) => {
    await this.held;
    if (this.disk.full) throw new FdsError("storage_full", "there is no room");
    if (chunk.length === 0) return;
    const grown = new Uint8Array(Math.max(this.bytes.length, offset + chunk.length));
    grown.set(this.bytes);
    grown.set(chunk, offset);
    this.bytes = grown;
  };
  read = async (offset: number, length: number) => this.bytes.slice(offset, offset + length);
  sync = async () => {
    this.synced = this.bytes.length;
  };
  checkpoint = async (offset: number) => {
    await this.sync();
    return offset;
  };
  close = async () => {
    this.closed = true;
  };
}

/** A storage in memory. */
export class MemoryStorage implements Storage {
  readonly checkpointsInTurn = true;
  readonly sets = new MemorySets(this);
  readonly parts = new Map<string, MemoryPart>();
  /** The bytes of published files, by path. */
  readonly files = new Map<string, Uint8Array>();
  /** Download ids of parts that were removed while open. Bytes written to such a part would be lost. */
  readonly removedOpen: string[] = [];
  full = false;
  identity = async () => "memory";
  /** Delays each publish() until this promise settles. A rejection makes publish() fail. */
  publishing: Promise<void> = Promise.resolve();

  openPart = async (downloadId: string): Promise<MemoryPart> => {
    const part = this.parts.get(checkedDownloadId(downloadId)) ?? new MemoryPart(this);
    part.closed = false;
    this.parts.set(downloadId, part);
    return part;
  };
  removePart = async (downloadId: string): Promise<void> => {
    if (this.parts.get(checkedDownloadId(downloadId))?.closed === false)
      this.removedOpen.push(downloadId);
    this.parts.delete(downloadId);
  };
  unpublish = async (savedPath: string): Promise<void> => {
    this.files.delete(checkedPublishedPath(savedPath));
  };
  namesOf = async (clientId: string): Promise<Set<string>> => {
    const prefix = `${checkedClientId(clientId)}/`;
    const own = [...this.files.keys()].filter((path) => path.startsWith(prefix));
    return new Set(own.map((path) => path.split("/")[1]!));
  };
  listParts = async (): Promise<string[]> => [...this.parts.keys()];
  publish = async (downloadId: string, savedPath: string): Promise<boolean> => {
    await this.publishing;
    const part = this.parts.get(checkedDownloadId(downloadId));
    checkedPublishedPath(savedPath);
    if (!part && this.files.has(savedPath)) return true;
    if (!part) throw new FdsError("storage_error", "there is no part");
    if (this.files.has(savedPath)) return false;
    this.files.set(savedPath, part.bytes);
    this.parts.delete(downloadId);
    return true;
  };
  openFile = async (savedPath: string): Promise<StoredFile | null> => {
    const bytes = this.files.get(checkedFilePath(savedPath));
    if (!bytes) return null;
    return { size: bytes.length, slice: (start, end) => new Blob([bytes.slice(start, end)]) };
  };
  check = async (): Promise<void> => undefined;
  stopSoon = (): void => undefined;
  freeSpace = async (): Promise<FreeSpace> => ({ free: this.full ? 0 : 2 ** 40, total: 2 ** 40 });

  /** Simulates a power cut: bytes that were not flushed are lost, and all parts are closed. */
  crash(): void {
    for (const part of this.parts.values()) {
      part.bytes = part.bytes.slice(0, part.synced);
      part.closed = true;
    }
  }
  close = async (): Promise<void> => undefined;
}
