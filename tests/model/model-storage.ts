import { openS3Storage } from "../../lib/server/storage/s3/s3.ts";
import type { Storage } from "../../lib/server/storage/storage.ts";
import { ON_S3 } from "../support/backend.ts";
import { FakeS3 } from "../support/fake-s3.ts";
import { MemoryStorage } from "../support/memory-storage.ts";
import { optionsFor } from "../support/s3-storage.ts";

/** The storage of a model test, with methods to break and inspect it from outside the server. */
export interface ModelStorage extends AsyncDisposable {
  /** Opens the storage for a server that starts. */
  open(): Promise<Storage>;
  /** Simulates a power cut of the server's machine: bytes that were not flushed are lost. */
  crash(): void;
  full: boolean;
  /** Whether the storage tells its free space, so that a download can be refused before it begins. */
  readonly tellsOfRoom: boolean;
  /** Returns the ids of downloads that have a part in the storage. */
  parts(): string[];
  /** Returns how many bytes of a download's part survive a crash. */
  safeBytesOf(downloadId: string): number;
  /** Returns the bytes of published files, by path. */
  files(): Map<string, Uint8Array>;
  /** Download ids of parts that were removed while open, which would lose bytes. The tests expect none. */
  readonly removedOpen: readonly string[];
}

/** Creates a storage in memory or, if `TEST_BACKEND` says so, one in a fake S3. */
export function newModelStorage(): ModelStorage {
  return ON_S3 === "" ? new InMemory() : new InS3();
}

class InMemory implements ModelStorage {
  readonly #storage = new MemoryStorage();
  readonly tellsOfRoom = true;

  open = async (): Promise<Storage> => this.#storage;
  crash = (): void => this.#storage.crash();
  parts = (): string[] => [...this.#storage.parts.keys()];
  safeBytesOf = (downloadId: string): number => this.#storage.parts.get(downloadId)?.synced ?? 0;
  files = (): Map<string, Uint8Array> => this.#storage.files;

  get full(): boolean {
    return this.#storage.full;
  }
  set full(full: boolean) {
    this.#storage.full = full;
  }
  get removedOpen(): readonly string[] {
    return this.#storage.removedOpen;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Size of a segment in S3, in bytes. Smaller than the model's file, so that a part has several segments. */
const SEGMENT = 8192;

class InS3 implements ModelStorage {
  readonly #s3 = new FakeS3();
  readonly removedOpen: readonly string[] = [];
  readonly tellsOfRoom = false;
  full = false;

  constructor() {
    this.#s3.minPart = SEGMENT;
    this.#s3.fault = (request) =>
      this.full && request.startsWith("PUT") ? { status: 403, code: "QuotaExceeded" } : null;
  }

  open(): Promise<Storage> {
    return openS3Storage({
      ...optionsFor(this.#s3),
      prefix: "",
      segment: SEGMENT,
      isShared: true,
      // The storage's clock is the fake one of the test, looked up at each call.
      now: () => Date.now(),
    });
  }

  /** Does nothing, as a crash of the server loses nothing in S3. */
  crash(): void {}

  parts(): string[] {
    const own = this.#s3.keys.filter((key) => key.startsWith(".server/parts/"));
    return [...new Set(own.map((key) => key.split("/")[2] ?? ""))];
  }

  /**
   * Not checked for S3, as bytes of a part may be in an unfinished multipart upload. The next attempt
   * verifies them by their checksum.
   */
  safeBytesOf(): number {
    return Infinity;
  }

  files(): Map<string, Uint8Array> {
    const published = this.#s3.keys.filter((key) => !key.startsWith(".server/"));
    const bytesOf = (key: string) => this.#s3.objects.get(key)?.bytes ?? new Uint8Array();
    return new Map(published.map((key) => [key, bytesOf(key)]));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#s3[Symbol.asyncDispose]();
  }
}
