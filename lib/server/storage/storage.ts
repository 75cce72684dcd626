/** Free and whole room where downloads are kept, in bytes; Infinity where nothing bounds it. */
export interface FreeSpace {
  free: number;
  total: number;
}

/** A published file, open for reading. */
export interface StoredFile {
  size: number;
  /** The bytes from `start` up to, not including, `end`. */
  slice(start: number, end: number): StoredBytes;
}

/** Bytes that are read as they are taken. */
export type StoredBytes = Blob | ReadableStream<Uint8Array>;

/** One incoming file, not yet published. Every method throws FdsError `storage_full` or `storage_error`. */
export interface Part {
  /** Bytes in it now, as far as it is this server that writes to it. */
  readonly size: number;
  /** The most bytes that may be written and not safe, beside what is under way: a checkpoint is due. */
  readonly maxUnsafe: number;
  /** Drops everything from `size` on. */
  truncate(size: number): Promise<void>;
  /** Writes all of the bytes at `offset`, its end; they are not safe before {@link Part.sync}. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** At most `length` bytes from `offset`; empty at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** What was written before the call is safe when it resolves. */
  sync(): Promise<void>;
  /**
   * Makes safe what is worth it now, of what was written below `offset`. Where each flush has its
   * price, a few bytes may wait for a later one.
   * @returns how many bytes from the start are safe, at most `offset`
   */
  checkpoint(offset: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * The files of a set that is under way, in a folder of their own, at the paths that they will have.
 * Nothing is safe before {@link SetFolder.sync}. Methods throw FdsError `storage_full` or
 * `storage_error`. Paths are relative, parted by `/`, each name a safe one.
 */
export interface SetFolder {
  /**
   * Writes a small file that came whole, in the place of any earlier one. It is done when the call
   * returns: a trip to another thread would cost more than the writing.
   * @param mtimeNs when the file was last changed at the site, ns since 1970
   */
  writeFile(path: string, bytes: Uint8Array, mtimeNs: bigint): void;
  /** Opens a large file, to be written piece by piece; makes it if it is not there. */
  openFile(path: string): Promise<Part>;
  /** Gives a large file that is complete its time, ns since 1970. */
  setTime(path: string, mtimeNs: bigint): Promise<void>;
  /**
   * Gives a published file a second place, as a hard link or, where there are none, as a copy.
   * @param savedPath of the published file
   * @returns false if it is not there any more, or has another size
   */
  linkFile(path: string, savedPath: string, size: number): Promise<boolean>;
  /** Whether files of an earlier attempt lie elsewhere, until {@link SetFolder.dropFormer}. */
  readonly hasFormer: boolean;
  /**
   * Takes a file over that an earlier attempt brought, if it is there.
   * @param length of which bytes; null: the file is whole, and nobody writes to it any more
   */
  takeOver(path: string, length: number | null): Promise<void>;
  /** Removes what earlier attempts left. */
  dropFormer(): Promise<void>;
  /** Bytes of a file that was flushed; null if it is not there. Known at once, as many are looked at. */
  sizeOf(path: string): number | null;
  /** Removes a file that is not to be published; no error if it is not there. */
  removeFile(path: string): Promise<void>;
  /** Everything that was written before the call is on the disk when it resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Where sets are kept. Methods throw FdsError `storage_full` or `storage_error`. */
export interface SetStorage {
  /** The most bytes that may be written and not safe: a checkpoint is due. */
  readonly maxUnsafe: number;
  /**
   * Opens the folder of a set that is under way, making it if it is not there.
   * @param epoch of the attempt: where several servers write, each attempt has a folder of its own
   */
  open(downloadId: string, epoch?: number): Promise<SetFolder>;
  /** Removes a set that is under way, with all its files. */
  remove(downloadId: string): Promise<void>;
  /** Ids of the downloads that have such a folder. */
  list(): Promise<string[]>;
  /**
   * Gives a flushed set its final name: first the folder, by one rename, then the checksums beside
   * it, which say that it is complete.
   * @param savedPath relative, `<client_id>/<name>`
   * @param sums name and text of the file of checksums, in the client's folder
   * @param epoch of the attempt that publishes
   * @returns false, and changes nothing, if one of the two names is taken; a call that was cut
   *   short is completed by the next one
   */
  publish(
    downloadId: string,
    savedPath: string,
    sums: { suffix: string; text: string },
    epoch?: number,
  ): Promise<boolean>;
  /** Whether an unchanged file takes no room of its own, as a hard link does. */
  readonly sharesBytes: boolean;
  /**
   * Removes a published set: first its checksums, so that no half of a set has its mark, then its
   * files. What another set shares stays there. No error where it is gone; a call that was cut short
   * is completed by the next one.
   * @param suffix of the checksums' name
   */
  unpublish(downloadId: string, savedPath: string, suffix: string): Promise<void>;
}

/**
 * The bytes. Parts are under way and named by their download; published files are complete,
 * verified, and never overwritten. Methods throw FdsError `storage_full` or `storage_error`.
 */
export interface Storage {
  /** Downloads of many files. */
  readonly sets: SetStorage;
  /** Whether checkpoints of several parts are made one after the other: at once they would only wait. */
  readonly checkpointsInTurn: boolean;
  /**
   * Opens a download's part, making it if it is not there. Where several servers write, what an earlier
   * attempt brought is copied: that server may not know yet that another one goes on.
   * @param epoch of the attempt
   * @param isWhole nobody writes to it any more
   */
  openPart(downloadId: string, epoch?: number, isWhole?: boolean): Promise<Part>;
  removePart(downloadId: string): Promise<void>;
  /** Ids of the downloads that have a part. */
  listParts(): Promise<string[]>;
  /**
   * Gives a flushed part its final name.
   * @param savedPath relative, `<client_id>/<name>`
   * @param epoch of the attempt that publishes
   * @returns false, and changes nothing, if the name is taken by something else; a call that was
   *   cut short after the part got its name is completed by the next one
   */
  publish(downloadId: string, savedPath: string, epoch?: number): Promise<boolean>;
  /** Opens a published file; null if there is none of that name. */
  openFile(savedPath: string): Promise<StoredFile | null>;
  /** Removes a published file, for good when it resolves; no error where it is gone. */
  unpublish(savedPath: string): Promise<void>;
  /**
   * Names of a client's published files, and of the folders of its sets.
   * @throws FdsError `storage_error` also where the storage itself is not there
   */
  namesOf(clientId: string): Promise<Set<string>>;
  freeSpace(): Promise<FreeSpace>;
  /** Whether it can be used now. @throws FdsError `storage_error` that says why not */
  check(): Promise<void>;
  /** What it is known by, whoever asks: servers that have the same use the same bytes. */
  identity(): Promise<string>;
  /** The server is about to stop: from now on nothing waits for long for a storage that is away. */
  stopSoon(): void;
  /** Lets go of whatever keeps other servers out. */
  close(): Promise<void>;
}
