import { atOnce } from "../../../util/at-once.ts";
import { checkedFilePath, checkedSetFile } from "../paths.ts";
import type { Part, SetFolder } from "../storage.ts";
import { compose, endUpload, UPLOAD } from "./compose.ts";
import { copyObject } from "./copy.ts";
import { inS3 } from "./error.ts";
import type { ListedObject, Objects } from "./objects.ts";
import { S3Part } from "./part.ts";
import { isCut, piecesIn } from "./pieces.ts";
import type { S3Context } from "./place.ts";

/**
 * Folder of complete files below a set's prefix. The files have the paths that they will have in the
 * published set.
 */
export const FILES = "files/";
/** Folder of the pieces of large files, below a set's prefix. */
const LARGE = "large/";
/** Number of small files that are stored at the same time. */
const PUTS = 64;

export interface S3SetFolderOptions {
  /** Key prefixes of earlier attempts by other servers, latest first. */
  formerPrefixes: string[];
  onClose: () => void;
}

/** The files of an unfinished set, in a bucket. */
export class S3SetFolder implements SetFolder {
  /** Small files that are not stored yet. The key is the path, the value the content. */
  #unsent = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Open parts of large files. The key is the file's path. */
  readonly #parts = new Map<string, S3Part>();

  private constructor(
    private readonly prefix: string,
    private readonly context: S3Context,
    /** Complete files that are stored. The key is the path, the value the size in bytes. */
    private readonly sizes: Map<string, number>,
    private readonly options: S3SetFolderOptions,
  ) {}

  /**
   * Opens an unfinished set.
   * @param prefix prefix of the set's keys
   */
  static async open(
    prefix: string,
    context: S3Context,
    options: S3SetFolderOptions,
  ): Promise<S3SetFolder> {
    const sizes = new Map<string, number>();
    for await (const { key, size } of context.objects.list(prefix + FILES)) {
      sizes.set(key.slice(prefix.length + FILES.length), size);
    }
    return new S3SetFolder(prefix, context, sizes, options);
  }

  get hasFormerFolders(): boolean {
    return this.options.formerPrefixes.length > 0;
  }

  async empty(): Promise<void> {
    await this.dropFormerFolders();
    this.#unsent.clear();
    this.sizes.clear();
    await inS3("empty the set", async () => {
      for (const folder of [FILES, LARGE])
        await removeAll(this.context.objects, this.prefix + folder);
    });
  }

  writeFile(path: string, bytes: Uint8Array): void {
    // The bytes are copied, because the caller reuses its buffer before the file is stored. slice() of a
    // Buffer would not copy.
    this.#unsent.set(checkedSetFile(path), new Uint8Array(bytes));
  }

  async openFile(path: string): Promise<Part> {
    const prefix = this.#largePrefix(path);
    const { objects } = this.context;
    return inS3("open a file of the set", async () => {
      const pieces = (await piecesIn(objects, prefix)) ?? [];
      const onClose = () => this.#parts.delete(path);
      const part = new S3Part({ ...this.context, prefix, pieces, useRuns: false, onClose });
      this.#parts.set(path, part);
      return withSyncOnClose(part);
    });
  }

  /**
   * Called when a large file is complete: composes its pieces into one object. The file's modification time,
   * which a storage on a disk sets here, is not stored in S3.
   */
  async setTime(path: string): Promise<void> {
    const { objects } = this.context;
    const prefix = this.#largePrefix(path);
    await inS3("write a file of the set", async () => {
      const pieces = (await piecesIn(objects, prefix)) ?? [];
      await compose(this.#key(path), pieces, { ...this.context, prefix, newObject: {} });
      await objects.removeAll(prefix);
      this.sizes.set(
        path,
        pieces.reduce((sum, { length }) => sum + length, 0),
      );
    });
  }

  async linkFile(path: string, savedPath: string, size: number): Promise<boolean> {
    const { objects, prefix } = this.context;
    const from = prefix + checkedFilePath(savedPath);
    const to = this.#key(path);
    return inS3("copy a file of the set", async () => {
      const head = await objects.head(from);
      if (head?.size !== size) return false;
      const isCopied = await copyObject(objects, { key: from, size, etag: head.etag }, to);
      if (isCopied) this.sizes.set(path, size);
      return isCopied;
    });
  }

  takeOver(path: string, length: number | null): Promise<void> {
    return inS3("take a file of the set over", async () => {
      for (const formerPrefix of this.options.formerPrefixes) {
        const isTaken =
          length === null
            ? await this.#takeWhole(formerPrefix, path)
            : await this.#takePieces(formerPrefix, path, length);
        if (isTaken) return;
      }
    });
  }

  async dropFormerFolders(): Promise<void> {
    const { objects } = this.context;
    await inS3("remove what is left of the set", async () => {
      for (const prefix of this.options.formerPrefixes.splice(0)) await objects.removeAll(prefix);
    });
  }

  sizeOf(path: string): number | null {
    return this.#unsent.get(path)?.length ?? this.sizes.get(path) ?? null;
  }

  async removeFile(path: string): Promise<void> {
    const key = this.#key(path);
    this.#unsent.delete(path);
    // Pieces of an unfinished file are not published, and are removed with the set.
    if (!this.sizes.delete(path)) return;
    await inS3("remove a file of the set", () => this.context.objects.remove([key]));
  }

  async sync(): Promise<void> {
    const files = [...this.#unsent];
    this.#unsent = new Map();
    for (const part of this.#parts.values()) await part.sync();
    await inS3("write a file of the set", () =>
      atOnce(PUTS, files, async ([path, bytes]) => {
        await this.context.objects.put(this.#key(path), bytes);
        this.sizes.set(path, bytes.length);
      }),
    );
  }

  async close(): Promise<void> {
    this.#unsent.clear();
    this.options.onClose();
  }

  async #takeWhole(formerPrefix: string, path: string): Promise<boolean> {
    const { objects } = this.context;
    const key = formerPrefix + FILES + checkedSetFile(path);
    const head = await objects.head(key);
    if (!head || !(await copyObject(objects, { ...head, key }, this.#key(path)))) return false;
    this.sizes.set(path, head.size);
    return true;
  }

  async #takePieces(formerPrefix: string, path: string, length: number): Promise<boolean> {
    const { objects } = this.context;
    const [from, to] = [largePrefix(formerPrefix, path), this.#largePrefix(path)];
    const pieces = (await piecesIn(objects, from)) ?? [];
    const end = pieces.at(-1);
    if (!end || end.offset + end.length < length) return false;
    const used = new Set(pieces.map(({ key }) => key));
    const found = await Array.fromAsync(objects.list(from));
    const copy = (some: ListedObject[]) =>
      atOnce(PUTS, some, async (object) => {
        await copyObject(objects, object, to + object.key.slice(from.length));
      });
    // Cuts are copied first. A piece without its cut has bytes that were replaced.
    await copy(found.filter(({ key }) => isCut(key.slice(from.length))));
    await copy(found.filter(({ key }) => used.has(key)));
    return true;
  }

  #key(path: string): string {
    return this.prefix + FILES + checkedSetFile(path);
  }

  #largePrefix(path: string): string {
    return largePrefix(this.prefix, path);
  }
}

/** Removes all objects with a key prefix, and aborts the uploads that are recorded there. */
export async function removeAll(objects: Objects, prefix: string): Promise<void> {
  for await (const { key } of objects.list(prefix)) {
    if (key.endsWith(`/${UPLOAD}`)) await endUpload(objects, key.slice(0, -UPLOAD.length));
  }
  await objects.removeAll(prefix);
}

/**
 * Returns the key prefix for the pieces of a large file. It contains a hash of the file's path, because the
 * path itself may be as long as the longest key that S3 allows.
 */
function largePrefix(prefix: string, path: string): string {
  const name = new Bun.CryptoHasher("sha256").update(checkedSetFile(path)).digest("hex");
  return `${prefix}${LARGE}${name}/`;
}

/** Returns a part whose close() first stores the unflushed bytes, which {@link S3Part.close} would drop. */
function withSyncOnClose(part: S3Part): Part {
  return {
    get size() {
      return part.size;
    },
    maxUnflushed: part.maxUnflushed,
    truncate: (size) => part.truncate(size),
    write: (bytes, offset) => part.write(bytes, offset),
    read: (offset, length) => part.read(offset, length),
    sync: () => part.sync(),
    checkpoint: (offset) => part.checkpoint(offset),
    close: async () => {
      try {
        await part.sync();
      } finally {
        await part.close();
      }
    },
  };
}
