/** Free and total space for downloads, in bytes; Infinity where there is no limit. */
export interface FreeSpace {
  free: number;
  total: number;
}

/** A published file, opened for reading. */
export interface StoredFile {
  size: number;
  /** The bytes from `start` up to but not including `end`. */
  slice(start: number, end: number): StoredBytes;
}

/** Bytes that are read as they are consumed. */
export type StoredBytes = Blob | ReadableStream<Uint8Array>;

/** Whether a publishing still belongs to this server: no other one has taken it over. */
export type IsOurs = () => Promise<boolean>;

/**
 * An incoming file that is not published yet. Every method throws FdsError `storage_full` or
 * `storage_error`.
 */
export interface Part {
  /** Its present length in bytes, as far as this server wrote it. */
  readonly size: number;
  /**
   * Bytes that may be written without being durable, besides those under way. When they are reached, a
   * checkpoint is due.
   */
  readonly maxUnsafe: number;
  /** Removes everything from `size` on. */
  truncate(size: number): Promise<void>;
  /** Writes all bytes at `offset`, its end. They are not durable before {@link Part.sync}. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Reads at most `length` bytes from `offset`; empty at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** When it resolves, everything written before the call is durable. */
  sync(): Promise<void>;
  /**
   * Makes bytes below `offset` durable, as far as it is worth it now. Where a flush is expensive, a few
   * bytes may wait for a later one.
   * @returns how many bytes from the start are durable, at most `offset`
   */
  checkpoint(offset: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * The files of an unfinished set, in their own folder, at the paths that they will have. Nothing is durable
 * before {@link SetFolder.sync}. Methods throw FdsError `storage_full` or `storage_error`. Paths are
 * relative, separated by `/`, and made of safe names.
 */
export interface SetFolder {
  /**
   * Writes a complete small file, replacing an earlier one. It is synchronous, as a trip to another thread
   * would cost more than the writing.
   * @param mtimeNs last change of the file at the site, ns since 1970
   */
  writeFile(path: string, bytes: Uint8Array, mtimeNs: bigint): void;
  /** Opens a large file that is written piece by piece; makes it if it does not exist. */
  openFile(path: string): Promise<Part>;
  /** Sets the time of a complete large file, ns since 1970. */
  setTime(path: string, mtimeNs: bigint): Promise<void>;
  /**
   * Adds a published file by a hard link or, where there are none, by a copy.
   * @param savedPath of the published file
   * @returns false if it no longer exists, or has another size
   */
  linkFile(path: string, savedPath: string, size: number): Promise<boolean>;
  /** Whether files of an earlier attempt are elsewhere, until {@link SetFolder.dropFormer}. */
  readonly hasFormer: boolean;
  /**
   * Takes over a file of an earlier attempt, if it exists.
   * @param length how many of its bytes; null: the file is complete, and nobody writes to it any more
   */
  takeOver(path: string, length: number | null): Promise<void>;
  /** Removes the files of earlier attempts. */
  dropFormer(): Promise<void>;
  /** Size of a flushed file; null if it does not exist. Synchronous, as it is asked for many files. */
  sizeOf(path: string): number | null;
  /** Removes a file that is not to be published; no error if it does not exist. */
  removeFile(path: string): Promise<void>;
  /** When it resolves, everything written before the call is durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The storage of sets. Methods throw FdsError `storage_full` or `storage_error`. */
export interface SetStorage {
  /** Bytes that may be written without being durable. */
  readonly maxUnsafe: number;
  /**
   * Bytes after which a checkpoint is due. With less than {@link SetStorage.maxUnsafe}, bytes go on
   * arriving during the flush.
   */
  readonly checkpointBytes: number;
  /**
   * Opens the folder of an unfinished set; makes it if it does not exist.
   * @param epoch of the attempt; where several servers write, each attempt has its own folder
   */
  open(downloadId: string, epoch?: number): Promise<SetFolder>;
  /** Removes an unfinished set with all its files. */
  remove(downloadId: string): Promise<void>;
  /** Ids of the downloads that have such a folder. */
  list(): Promise<string[]>;
  /**
   * Gives a flushed set its final name: first the folder, by one rename, then the checksums beside it,
   * which mark it as complete.
   * @param savedPath relative, `<client_id>/<name>`
   * @param sums name and text of the file of checksums, in the client's folder
   * @param epoch of the attempt that publishes
   * @param isOurs as of {@link Storage.publish}
   * @returns false, and changes nothing, if one of the two names is taken. An interrupted call is completed
   *   by the next one.
   */
  publish(
    downloadId: string,
    savedPath: string,
    sums: { suffix: string; text: string },
    epoch?: number,
    isOurs?: IsOurs,
  ): Promise<boolean>;
  /** Whether an unchanged file takes no space of its own, as with hard links. */
  readonly sharesBytes: boolean;
  /**
   * Removes a published set: first its checksums, so that an incomplete set never has its mark, then its
   * files. Files shared with other sets stay there. No error where it does not exist; an interrupted call
   * is completed by the next one.
   * @param suffix of the checksums' name
   */
  unpublish(downloadId: string, savedPath: string, suffix: string): Promise<void>;
}

/**
 * Where bytes are stored. Parts are unfinished, and named by their download; published files are complete,
 * verified, and never overwritten. Methods throw FdsError `storage_full` or `storage_error`.
 */
export interface Storage {
  /** Downloads of many files. */
  readonly sets: SetStorage;
  /**
   * Whether checkpoints of several parts run one after the other, as they would only wait for each other.
   */
  readonly checkpointsInTurn: boolean;
  /**
   * Opens the part of a download; makes it if it does not exist. Where several servers write, an earlier
   * attempt's part is copied, as its server may still write to it.
   * @param epoch of the attempt
   * @param isWhole true: nobody writes to the part any more
   */
  openPart(downloadId: string, epoch?: number, isWhole?: boolean): Promise<Part>;
  removePart(downloadId: string): Promise<void>;
  /** Ids of the downloads that have a part. */
  listParts(): Promise<string[]>;
  /**
   * Gives a flushed part its final name.
   * @param savedPath relative, `<client_id>/<name>`
   * @param epoch of the attempt that publishes
   * @param isOurs asked after an error that follows the naming: what another server has published since
   *   is not taken back
   * @returns false, and changes nothing, if something else has the name. A call interrupted after the part
   *   got its name is completed by the next one.
   */
  publish(downloadId: string, savedPath: string, epoch?: number, isOurs?: IsOurs): Promise<boolean>;
  /** Opens a published file; null if it does not exist. */
  openFile(savedPath: string): Promise<StoredFile | null>;
  /** Removes a published file, durably when it resolves; no error where it does not exist. */
  unpublish(savedPath: string): Promise<void>;
  /**
   * Names of a client's published files and sets.
   * @throws FdsError `storage_error` also where the storage itself is missing
   */
  namesOf(clientId: string): Promise<Set<string>>;
  freeSpace(): Promise<FreeSpace>;
  /** Checks that the storage can be used now. @throws FdsError `storage_error` that says why not */
  check(): Promise<void>;
  /** Identity of the storage: servers with the same one use the same bytes. */
  identity(): Promise<string>;
  /** Called before the server stops: from then on nothing waits long for an unavailable storage. */
  stopSoon(): void;
  /** Releases the lock that keeps other servers out. */
  close(): Promise<void>;
}
