/** Free and whole room where downloads are kept, in bytes. */
export interface Room {
  free: number;
  total: number;
}

/** A published file, open for reading. */
export interface StoredFile {
  size: number;
  /** The bytes from `start` up to, not including, `end`. */
  slice(start: number, end: number): Blob;
}

/** One incoming file, not yet published. Every method throws FdsError `storage_full` or `storage_error`. */
export interface Part {
  /** Bytes in it now, as far as it is this server that writes to it. */
  readonly size: number;
  /** Drops everything from `size` on. */
  truncate(size: number): Promise<void>;
  /** Writes all of the bytes at `offset`; they are not safe before {@link Part.sync}. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** At most `length` bytes from `offset`; empty at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** What was written before the call is on the disk when it resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The bytes. Parts are under way and named by their download; published files are complete,
 * verified, and never overwritten. Methods throw FdsError `storage_full` or `storage_error`.
 */
export interface Storage {
  /** Opens a download's part, making it if it is not there. */
  openPart(downloadId: string): Promise<Part>;
  removePart(downloadId: string): Promise<void>;
  /** Ids of the downloads that have a part. */
  listParts(): Promise<string[]>;
  /**
   * Gives a flushed part its final name.
   * @param savedPath relative, `<client_id>/<name>`
   * @returns false, and changes nothing, if the name is taken by something else; a call that was
   *   cut short after the part got its name is completed by the next one
   */
  publish(downloadId: string, savedPath: string): Promise<boolean>;
  /** Opens a published file; null if there is none of that name. */
  openFile(savedPath: string): Promise<StoredFile | null>;
  room(): Promise<Room>;
  /** Bytes of published files: of a client, or of all. */
  usedBytes(clientId?: string): Promise<number>;
  /** Lets go of whatever keeps other servers out. */
  close(): Promise<void>;
}
