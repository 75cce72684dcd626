import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import { FdsError, isDownloadErrorCode, type Problem } from "../../protocol/errors.ts";
import { CLIENT_ERROR_CODES, MAX_ERROR_LENGTH } from "../../protocol/messages.ts";
import type { SetRecord } from "../../protocol/set-records.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import type { WantedSetFile } from "../set.ts";
import type { Part, SetFolder } from "../storage/storage.ts";
import { protocolError } from "./incoming-attempt.ts";

/**
 * Maximum size in bytes of a small file. A small file is collected in memory, and written in one call when it
 * is complete.
 */
const MAX_SMALL_SIZE = 256 * 1024;

/** The client's answer for a requested file. */
export type Answer =
  | { type: "received"; file: WantedSetFile; size: number; mtimeNs: bigint; digest: string }
  /**
   * The file changed while it was read, or its bytes do not match its checksum. It may be requested again.
   */
  | { type: "retry"; file: WantedSetFile; error: Problem }
  | { type: "skipped"; file: WantedSetFile; error: Problem };

export interface SetWriterOptions {
  folder: SetFolder;
  checksum: ChecksumAlgorithm;
  /**
   * Called when the client answers a request for a file. Checks that this answer is the next one expected,
   * and returns the file.
   * @param index index of the file in the manifest
   * @throws FdsError `protocol_error` if another answer, or none, is expected
   */
  expect: (index: number) => WantedSetFile;
  /**
   * Called when the client begins to send a file, or continues one after a damaged frame.
   * @param bytes the size that the client states for the file, minus the size known so far
   * @returns a promise if the file has to wait for a check of space and quotas
   * @throws FdsError if the set would become too large
   */
  admit: (bytes: number) => Promise<void> | undefined;
  /** Called with the number of new bytes of the file being received. */
  onProgress: (bytes: number) => void;
  onAnswer: (answer: Answer) => void;
}

/** A file that is being received. */
interface Incoming {
  file: WantedSetFile;
  size: number;
  mtimeNs: bigint;
  /** Number of bytes received so far. */
  length: number;
  /**
   * The open part of a large file, and the hash of its bytes; null for a small file, which is collected in
   * memory.
   */
  large: { part: Part; hash: Bun.CryptoHasher } | null;
}

type Start = Extract<SetRecord, { type: "start" }>;
type End = Extract<SetRecord, { type: "end" }>;

/**
 * Writes the records of a set to its folder, one file after the other, and verifies each file. Thousands of
 * small files may arrive in a second, so a small file is handled synchronously unless something has to wait.
 */
export class SetWriter {
  /** Buffer for the small file that is being received. Allocated for the first small file. */
  #small = new Uint8Array(0);
  #incoming: Incoming | undefined;
  /**
   * The highest offset reached so far of the file that is being received. Bytes that are sent again below it
   * do not count as progress.
   */
  #furthest: { index: number; length: number } | undefined;

  constructor(private readonly options: SetWriterOptions) {}

  /** The large file that is being received; undefined if there is none. */
  get current(): { file: WantedSetFile; length: number } | undefined {
    const incoming = this.#incoming;
    return incoming?.large ? incoming : undefined;
  }

  /**
   * Takes the next record. The caller may reuse the record's bytes afterwards.
   * @returns a promise if the record has to wait; the next record must not be taken before it resolves
   * @throws FdsError `protocol_error` for a record out of order, `storage_full` or `storage_error`
   */
  take(record: SetRecord): Promise<void> | undefined {
    switch (record.type) {
      case "start":
        return this.#start(record);
      case "data":
        return this.#data(record.bytes);
      case "end":
        return this.#end(record);
      case "skip":
        return this.#skip(record);
    }
  }

  /** Removes the unflushed bytes of the large file that is being received. */
  async dropUnflushed(): Promise<void> {
    const incoming = this.#incoming;
    await incoming?.large?.part.truncate(incoming.file.durableOffset);
  }

  /** Closes the file that is being received. A large file keeps its bytes. */
  async close(): Promise<void> {
    const incoming = this.#incoming;
    this.#incoming = undefined;
    await incoming?.large?.part.close();
  }

  async #skip(record: Extract<SetRecord, { type: "skip" }>): Promise<void> {
    await this.close();
    const file = this.options.expect(record.index);
    this.#answer({ type: "skipped", file, error: errorOf(record) });
  }

  #start(record: Start): Promise<void> | undefined {
    const { index, size, offset } = record;
    const before = this.#incoming;
    // After a damaged frame, the client sends a second start record to continue the same file.
    if (before?.file.index === index && offset > 0) return this.#resume(before, record);
    if (before) return this.close().then(() => this.#start(record));
    const file = this.options.expect(index);
    if (offset !== 0 && offset !== file.durableOffset) {
      throw protocolError(`a file begins at ${offset}, expected ${file.durableOffset} or 0`);
    }
    if (offset > size) throw protocolError(`a file of ${size} bytes begins at ${offset}`);
    const admitted = this.options.admit(size - file.size);
    return admitted ? admitted.then(() => this.#begin(file, record)) : this.#begin(file, record);
  }

  #begin(file: WantedSetFile, { index, size, mtimeNs, offset }: Start): Promise<void> | undefined {
    if (this.#furthest?.index !== index) this.#furthest = { index, length: offset };
    // The size is recorded so that a second start of the file with the same size asks for no additional
    // space.
    file.size = size;
    const incoming = { file, size, mtimeNs, length: offset, large: null };
    if (size > MAX_SMALL_SIZE || offset > 0) return this.#openLarge(incoming);
    if (this.#small.length === 0) this.#small = Buffer.allocUnsafeSlow(MAX_SMALL_SIZE);
    this.#incoming = incoming;
    return undefined;
  }

  async #openLarge(incoming: Incoming): Promise<void> {
    const { file, length } = incoming;
    const part = await this.options.folder.openFile(placeOf(file));
    const hash = new Bun.CryptoHasher(this.options.checksum);
    this.#incoming = { ...incoming, large: { part, hash } };
    await part.truncate(length);
    await hashPart(part, length, hash);
  }

  /** Continues the same file after a damaged frame. The file may have another size by now. */
  async #resume(before: Incoming, { size, mtimeNs, offset }: Start): Promise<void> {
    const { file, length, large } = before;
    if (offset !== length) throw protocolError(`a file goes on at ${offset}, expected ${length}`);
    if (offset > size) throw protocolError(`a file of ${size} bytes goes on at ${offset}`);
    await this.options.admit(size - file.size);
    file.size = before.size = size;
    before.mtimeNs = mtimeNs;
    if (large || size <= MAX_SMALL_SIZE) return;
    // The file has become too large for the buffer, so its bytes so far are written to a part.
    await this.#openLarge({ ...before, length: 0 });
    await this.#write(this.#small.subarray(0, length));
  }

  #data(bytes: Uint8Array): Promise<void> | undefined {
    const incoming = this.#incoming;
    if (!incoming) throw protocolError("bytes came before their file");
    if (bytes.length === 0) throw protocolError("a record has no bytes");
    if (incoming.length + bytes.length > incoming.size)
      throw protocolError("a file has more bytes than it said");
    if (incoming.large) return this.#write(bytes);
    this.#small.set(bytes, incoming.length);
    this.#wrote(incoming, bytes.length);
    return undefined;
  }

  /** Writes and hashes the next bytes of a large file. */
  async #write(bytes: Uint8Array): Promise<void> {
    const incoming = this.#incoming;
    if (!incoming?.large) return;
    const { part, hash } = incoming.large;
    const writing = part.write(bytes, incoming.length);
    const hashing = eventLoopBudget.run(() => hash.update(bytes));
    await Promise.all([writing, hashing]);
    this.#wrote(incoming, bytes.length);
  }

  #wrote(incoming: Incoming, bytes: number): void {
    incoming.length += bytes;
    const { length = 0 } = this.#furthest ?? {};
    if (incoming.length <= length) return;
    this.#furthest = { index: incoming.file.index, length: incoming.length };
    this.options.onProgress(incoming.length - length);
  }

  #end(record: End): Promise<void> | undefined {
    const incoming = this.#incoming;
    if (!incoming) throw protocolError("a file ended before it began");
    const { size, length, large } = incoming;
    if (length !== size && !record.changed)
      throw protocolError(`a file of ${size} bytes ended after ${length}`);
    this.#incoming = undefined;
    if (large) return this.#endLarge(incoming, large, record);
    return eventLoopBudget.soon(() => this.#endSmall(incoming, record)) ?? undefined;
  }

  #endSmall(incoming: Incoming, record: End): void {
    const { file, mtimeNs, length } = incoming;
    const bytes = this.#small.subarray(0, length);
    if (!record.changed) this.options.folder.writeFile(placeOf(file), bytes, mtimeNs);
    const stored = Bun.CryptoHasher.hash(this.options.checksum, bytes, "hex");
    this.#compare(incoming, stored, record);
  }

  async #endLarge(
    incoming: Incoming,
    { part, hash }: NonNullable<Incoming["large"]>,
    record: End,
  ): Promise<void> {
    const { file, mtimeNs } = incoming;
    await part.close();
    if (!record.changed) await this.options.folder.setTime(placeOf(file), mtimeNs);
    this.#compare(incoming, hash.digest("hex"), record);
  }

  #compare({ file, size, mtimeNs }: Incoming, stored: string, { changed, digest }: End): void {
    const error = changed ? CHANGED : stored === digest ? null : mismatch(stored, digest);
    if (error) return this.#answer({ type: "retry", file, error });
    this.#answer({ type: "received", file, size, mtimeNs, digest: stored });
  }

  #answer(answer: Answer): void {
    this.#furthest = undefined;
    this.options.onAnswer(answer);
  }
}

const CHANGED: Problem = {
  code: "source_changed",
  message: "the file changed each time it was read",
};

function mismatch(stored: string, clientDigest: string): Problem {
  const message = `the checksum of what was stored is ${stored}, the client's is ${clientDigest}`;
  return { code: "checksum_mismatch", message };
}

/**
 * Returns the error for a file that the client cannot send. A code that clients may not use is replaced by
 * `file_unreadable`.
 */
function errorOf({ code, message }: Extract<SetRecord, { type: "skip" }>): Problem {
  const clientCode = CLIENT_ERROR_CODES.find((each) => each === code);
  const isAllowed = clientCode !== undefined && isDownloadErrorCode(clientCode);
  return {
    code: isAllowed ? clientCode : "file_unreadable",
    message: message.slice(0, MAX_ERROR_LENGTH),
  };
}

function placeOf({ place, path }: WantedSetFile): string {
  if (place !== null) return place;
  throw new Error(`${JSON.stringify(path)} was wanted and has no place`);
}

const BLOCK = 1024 * 1024;

/**
 * Hashes the first `length` bytes of a part.
 * @throws FdsError `storage_error`, also if the part is shorter
 */
export async function hashPart(part: Part, length: number, hash: Bun.CryptoHasher): Promise<void> {
  for (let at = 0; at < length;) {
    const block = await part.read(at, Math.min(BLOCK, length - at));
    if (block.length === 0) {
      throw new FdsError("storage_error", "a file of the set became shorter while it was read");
    }
    await eventLoopBudget.run(() => hash.update(block));
    at += block.length;
  }
}
