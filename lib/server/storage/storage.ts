/** Free and total space for downloads, in bytes; Infinity if there is no limit. */
export interface FreeSpace {
  free: number;
  total: number;
}

/** A published file, opened for reading. */
export interface StoredFile {
  size: number;
  /** Returns the bytes from `start` up to but not including `end`. */
  slice(start: number, end: number): StoredBytes;
}

/** Bytes of a stored file, which are read only as they are consumed. */
export type StoredBytes = Blob | ReadableStream<Uint8Array>;

/**
 * Reports whether this server may still publish the download. It may not after another server has taken over
 * the publishing.
 */
export type IsOurs = () => Promise<boolean>;

/**
 * An incoming file that is not published yet. Every method throws FdsError `storage_full` or `storage_error`.
 */
export interface Part {
  /** Current length of the part in bytes, as far as this server has written it. */
  readonly size: number;
  /**
   * A checkpoint is due when this many bytes are written but not durable. Bytes being written are not
   * counted.
   */
  readonly maxUnflushed: number;
  /** Removes the bytes from the offset `size` on. */
  truncate(size: number): Promise<void>;
  /**
   * Appends bytes. They are durable only after {@link Part.sync}.
   * @param offset must be the current length of the part
   */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Reads at most `length` bytes from `offset`. Returns no bytes at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Flushes everything written before the call, so that it is durable. */
  sync(): Promise<void>;
  /**
   * Makes bytes below `offset` durable. If a flush is expensive, the last bytes may wait for a later
   * checkpoint.
   * @returns the number of durable bytes from the start, at most `offset`
   */
  checkpoint(offset: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * The files of an unfinished set, in a folder of their own, at the paths that they will have in the published
 * set. Written files are durable only after {@link SetFolder.sync}. Paths are relative, separated by `/`, and
 * consist of safe names. Methods throw FdsError `storage_full` or `storage_error`.
 */
export interface SetFolder {
  /**
   * Writes a complete small file, replacing an earlier one. Synchronous, because a thread-pool call would
   * take longer than the write.
   * @param mtimeNs last change of the file at the site, in ns since 1970
   */
  writeFile(path: string, bytes: Uint8Array, mtimeNs: bigint): void;
  /** Opens a large file that is written piece by piece. Creates the file if it does not exist. */
  openFile(path: string): Promise<Part>;
  /** Sets the modification time of a complete large file, in ns since 1970. */
  setTime(path: string, mtimeNs: bigint): Promise<void>;
  /**
   * Adds a published file by a hard link or, if hard links are not supported, by a copy.
   * @param savedPath path of the published file
   * @returns false if the published file no longer exists or has another size
   */
  linkFile(path: string, savedPath: string, size: number): Promise<boolean>;
  /**
   * Whether there are folders of earlier attempts by other servers. False after
   * {@link SetFolder.dropFormerFolders}.
   */
  readonly hasFormerFolders: boolean;
  /**
   * Takes over a file of an earlier attempt, if it exists, by a link or a copy.
   * @param length number of the file's bytes to take over; null: the whole file, which is complete and no
   *   longer written to
   */
  takeOver(path: string, length: number | null): Promise<void>;
  /** Removes the files of earlier attempts by other servers. */
  dropFormerFolders(): Promise<void>;
  /**
   * Removes all files, also those of earlier attempts. Called before the set is listed: an attempt that ended
   * during the listing may have left links to published files.
   */
  empty(): Promise<void>;
  /**
   * Returns the size of a flushed file, in bytes; null if it does not exist. Synchronous, because many files
   * are checked.
   */
  sizeOf(path: string): number | null;
  /** Removes a file that is not to be published. It is no error if the file does not exist. */
  removeFile(path: string): Promise<void>;
  /** Flushes everything written before the call, so that it is durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The storage of sets. Methods throw FdsError `storage_full` or `storage_error`. */
export interface SetStorage {
  /** Maximum number of bytes written but not durable. */
  readonly maxUnflushed: number;
  /**
   * Number of written bytes after which a checkpoint is due. If it is below {@link SetStorage.maxUnflushed},
   * bytes go on arriving during the flush.
   */
  readonly checkpointBytes: number;
  /**
   * Opens the folder of an unfinished set. Creates it if it does not exist.
   * @param epoch epoch of the attempt. If several servers write, each of them has its own folder
   */
  open(downloadId: string, epoch?: number): Promise<SetFolder>;
  /** Removes an unfinished set with all its files. */
  remove(downloadId: string): Promise<void>;
  /** Returns the ids of the downloads that have an unfinished set. */
  list(): Promise<string[]>;
  /**
   * Publishes a flushed set: gives the folder its final name, then places the file of checksums beside it,
   * which marks the set as complete. An interrupted call is completed by the next one.
   * @param savedPath relative path of the published set, `<client_id>/<name>`
   * @param sums suffix of the checksums file's name, and its text
   * @param epoch epoch of the attempt that publishes
   * @param isOurs see {@link Storage.publish}
   * @returns false if one of the two names is taken. Nothing has changed then
   */
  publish(
    downloadId: string,
    savedPath: string,
    sums: { suffix: string; text: string },
    epoch?: number,
    isOurs?: IsOurs,
  ): Promise<boolean>;
  /** Whether the storage adds files to a set by hard links, which take no additional space. */
  readonly sharesBytes: boolean;
  /**
   * Removes a published set: first its checksums, so that an incomplete set is never marked as complete, then
   * its files. Files that other sets share with it stay in those sets. It is no error if the set does not
   * exist. An interrupted call is completed by the next one.
   * @param suffix suffix of the checksums file's name
   */
  unpublish(downloadId: string, savedPath: string, suffix: string): Promise<void>;
}

/**
 * The storage of bytes. A part is an unfinished file, named after its download. A published file is complete,
 * verified, and never overwritten. Methods throw FdsError `storage_full` or `storage_error`.
 */
export interface Storage {
  /** The storage of sets, which are downloads of many files. */
  readonly sets: SetStorage;
  /**
   * Whether checkpoints of different parts run one after the other. True if they would only wait for each
   * other.
   */
  readonly checkpointsInTurn: boolean;
  /**
   * Opens the part of a download. Creates it if it does not exist. If several servers write to a disk, an
   * earlier attempt's part is copied when its server may still write to it.
   * @param epoch epoch of the attempt
   * @param isWhole true: the part is complete, and no server writes to it any more
   */
  openPart(downloadId: string, epoch?: number, isWhole?: boolean): Promise<Part>;
  removePart(downloadId: string): Promise<void>;
  /** Returns the ids of the downloads that have a part. */
  listParts(): Promise<string[]>;
  /**
   * Publishes a flushed part: gives it its final name. A call interrupted after the part got its name is
   * completed by the next one.
   * @param savedPath relative path of the published file, `<client_id>/<name>`
   * @param epoch epoch of the attempt that publishes
   * @param isOurs called after an error, before the final name is removed again. The name stays if another
   *   server has taken over the publishing
   * @returns false if the name is taken. Nothing has changed then
   */
  publish(downloadId: string, savedPath: string, epoch?: number, isOurs?: IsOurs): Promise<boolean>;
  /** Opens a published file for reading; null if it does not exist. */
  openFile(savedPath: string): Promise<StoredFile | null>;
  /** Removes a published file durably. It is no error if the file does not exist. */
  unpublish(savedPath: string): Promise<void>;
  /**
   * Returns the names of a client's published files and sets.
   * @throws FdsError `storage_error`, also if the storage is missing, for example a disk that is not mounted
   */
  namesOf(clientId: string): Promise<Set<string>>;
  freeSpace(): Promise<FreeSpace>;
  /**
   * Checks that the storage can be used now.
   * @throws FdsError `storage_error` with the reason if it cannot
   */
  check(): Promise<void>;
  /** Returns the identity of the storage. Servers that get the same identity use the same bytes. */
  identity(): Promise<string>;
  /** Called before the server stops. From then on, no call waits long for an unavailable storage. */
  stopSoon(): void;
  /** Releases the lock that keeps other servers out. */
  close(): Promise<void>;
}
