import { openS3Storage } from "../../lib/server/storage/s3/s3.ts";
import type { Storage } from "../../lib/server/storage/storage.ts";
import { ON_S3 } from "../support/backend.ts";
import { FakeS3 } from "../support/fake-s3.ts";
import { MemoryStorage } from "../support/memory-storage.ts";
import { optionsFor } from "../support/s3-storage.ts";

/** Where a world keeps its files, as it is seen from outside. */
export interface ModelStorage extends AsyncDisposable {
  /** The storage as a server that starts has it. */
  open(): Promise<Storage>;
  /** The machine of the server fails: what was not safe is gone. */
  crash(): void;
  full: boolean;
  /** Whether it is known before a download begins that there is no room. */
  readonly tellsOfRoom: boolean;
  /** Ids of the downloads of which there is a part. */
  parts(): string[];
  /** Bytes of a part that outlive a crash. */
  safeBytesOf(downloadId: string): number;
  /** Published files by their paths. */
  files(): Map<string, Uint8Array>;
  /** Parts that were removed while they were open. */
  readonly removedOpen: readonly string[];
}

/** In memory, or in a fake S3 where `TEST_BACKEND` says so. */
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

/** Less than a file of the model has: it is made of many segments. */
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
      // The clock that the test moves.
      now: () => Date.now(),
    });
  }

  /** S3 is elsewhere, and keeps what it has. */
  crash(): void {}

  parts(): string[] {
    const own = this.#s3.keys.filter((key) => key.startsWith(".server/parts/"));
    return [...new Set(own.map((key) => key.split("/")[2] ?? ""))];
  }

  /** Some of a part is in an upload that is not complete: whoever goes on with it proves it. */
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
