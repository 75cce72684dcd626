import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import { isDownloadErrorCode, type Problem } from "../../protocol/errors.ts";
import { CLIENT_ERROR_CODES, MAX_ERROR_LENGTH } from "../../protocol/messages.ts";
import type { SetRecord } from "../../protocol/set-records.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import type { SetFile } from "../set.ts";
import type { Part, SetFolder } from "../storage/storage.ts";
import { broken } from "./incoming-attempt.ts";

/** Size in bytes up to which files are kept in memory until they are complete, and then written at once. */
const SMALL = 256 * 1024;

/** The result for a wanted file. */
export type Answer =
  | { type: "received"; file: SetFile; size: number; mtimeNs: bigint; digest: string }
  /** The file changed while it was read, or its bytes do not match its checksum. */
  | { type: "again"; file: SetFile; error: Problem }
  | { type: "skipped"; file: SetFile; error: Problem };

export interface SetWriterOptions {
  folder: SetFolder;
  checksum: ChecksumAlgorithm;
  /** Gives the next owed file. @throws FdsError `protocol_error` when none is owed, or another one */
  expect: (index: number) => SetFile;
  /**
   * Called where a file's size differs from the list, with the difference in bytes.
   * @throws FdsError where it may not
   */
  admit: (bytes: number) => Promise<void>;
  /** Called with the number of new bytes of the current file. */
  onProgress: (bytes: number) => void;
  onAnswer: (answer: Answer) => void;
}

/** A file that is being received. */
interface Incoming {
  file: SetFile;
  size: number;
  mtimeNs: bigint;
  /** Bytes received so far. */
  length: number;
  hash: Bun.CryptoHasher;
  /** The pieces of a small file, or the open part of a large one. */
  sink: { pieces: Uint8Array[] } | { part: Part };
}

/** Writes the records of a set to its folder, one file after the other, and compares each file. */
export class SetWriter {
  #incoming: Incoming | undefined;
  /** The furthest offset that the owed file has ever reached. */
  #furthest: { index: number; length: number } | undefined;

  constructor(private readonly options: SetWriterOptions) {}

  /** Whether it keeps pieces of frames until their file is complete. */
  get holds(): boolean {
    const incoming = this.#incoming;
    return incoming !== undefined && "pieces" in incoming.sink && incoming.sink.pieces.length > 0;
  }

  /** The unfinished file in which the next record continues, if there is one. */
  get current(): { file: SetFile; length: number } | undefined {
    const incoming = this.#incoming;
    return incoming && "part" in incoming.sink ? incoming : undefined;
  }

  /**
   * Takes the next record.
   * @throws FdsError `protocol_error` for a record out of order, `storage_full` or `storage_error`
   */
  async take(record: SetRecord): Promise<void> {
    switch (record.type) {
      case "start":
        return this.#start(record);
      case "data":
        return this.#data(record.bytes);
      case "end":
        return this.#end(record);
      case "skip": {
        if (this.#incoming) await this.#drop(this.#incoming);
        const file = this.options.expect(record.index);
        return this.#answer({ type: "skipped", file, error: errorOf(record) });
      }
    }
  }

  /** Drops the bytes of the current file that are not flushed. */
  async dropUnsafe(): Promise<void> {
    const incoming = this.#incoming;
    if (!incoming || !("part" in incoming.sink)) return;
    await incoming.sink.part.truncate(incoming.file.durableOffset);
  }

  /** Closes the current file, keeping its bytes. */
  async close(): Promise<void> {
    const incoming = this.#incoming;
    this.#incoming = undefined;
    if (incoming && "part" in incoming.sink) await incoming.sink.part.close();
  }

  async #start(record: Extract<SetRecord, { type: "start" }>): Promise<void> {
    const { index, size, mtimeNs, offset } = record;
    const before = this.#incoming;
    // After a damaged frame, the client continues in the same file.
    if (before?.file.index === index && offset > 0) return this.#resume(before, record);
    if (before) await this.#drop(before);
    const file = this.options.expect(index);
    if (offset !== 0 && offset !== file.durableOffset) {
      throw broken(`a file begins at ${offset}, expected ${file.durableOffset} or 0`);
    }
    if (offset > size) throw broken(`a file of ${size} bytes begins at ${offset}`);
    await this.options.admit(size - file.size);
    if (this.#furthest?.index !== index) this.#furthest = { index, length: offset };
    // It is admitted once, even if it comes again.
    file.size = size;
    const base = { file, size, mtimeNs, length: offset };
    const hash = new Bun.CryptoHasher(this.options.checksum);
    if (size <= SMALL && offset === 0) {
      this.#incoming = { ...base, hash, sink: { pieces: [] } };
      return;
    }
    const part = await this.options.folder.openFile(placeOf(file));
    this.#incoming = { ...base, hash, sink: { part } };
    await part.truncate(offset);
    await hashPart(part, offset, hash);
  }

  #resume(
    before: Incoming,
    { size, mtimeNs, offset }: Extract<SetRecord, { type: "start" }>,
  ): void {
    if (offset !== before.length)
      throw broken(`a file goes on at ${offset}, expected ${before.length}`);
    before.size = size;
    before.mtimeNs = mtimeNs;
  }

  async #data(bytes: Uint8Array): Promise<void> {
    const incoming = this.#incoming;
    if (!incoming) throw broken("bytes came before their file");
    if (bytes.length === 0) throw broken("a record has no bytes");
    if (incoming.length + bytes.length > incoming.size)
      throw broken("a file has more bytes than it said");
    if ("part" in incoming.sink) {
      const writing = incoming.sink.part.write(bytes, incoming.length);
      const hashing = eventLoopBudget.run(() => incoming.hash.update(bytes));
      await Promise.all([writing, hashing]);
    } else {
      incoming.sink.pieces.push(bytes);
    }
    incoming.length += bytes.length;
    const { length = 0 } = this.#furthest ?? {};
    if (incoming.length <= length) return;
    this.#furthest = { index: incoming.file.index, length: incoming.length };
    this.options.onProgress(incoming.length - length);
  }

  async #end({ changed, digest }: Extract<SetRecord, { type: "end" }>): Promise<void> {
    const incoming = this.#incoming;
    if (!incoming) throw broken("a file ended before it began");
    this.#incoming = undefined;
    const { file, size, mtimeNs, length } = incoming;
    if (length !== size && !changed) throw broken(`a file of ${size} bytes ended after ${length}`);
    const stored = await this.#finish(incoming, changed);
    const error = changed ? CHANGED : stored === digest ? null : mismatch(stored, digest);
    if (error) return this.#answer({ type: "again", file, error });
    this.#answer({ type: "received", file, size, mtimeNs, digest: stored });
  }

  #answer(answer: Answer): void {
    this.#furthest = undefined;
    this.options.onAnswer(answer);
  }

  /** Writes the remaining bytes. @returns the digest of what is stored */
  async #finish({ file, sink, hash, mtimeNs }: Incoming, changed: boolean): Promise<string> {
    const place = placeOf(file);
    if ("part" in sink) {
      await sink.part.close();
      if (!changed) await this.options.folder.setTime(place, mtimeNs);
      return hash.digest("hex");
    }
    return eventLoopBudget.run(() => {
      const bytes =
        sink.pieces.length === 1 ? (sink.pieces[0] ?? EMPTY) : Buffer.concat(sink.pieces);
      if (!changed) this.options.folder.writeFile(place, bytes, mtimeNs);
      return hash.update(bytes).digest("hex");
    });
  }

  async #drop(incoming: Incoming): Promise<void> {
    this.#incoming = undefined;
    if ("part" in incoming.sink) await incoming.sink.part.close();
  }
}

const EMPTY = new Uint8Array(0);

const CHANGED: Problem = {
  code: "source_changed",
  message: "the file changed each time it was read",
};

function mismatch(stored: string, theirs: string): Problem {
  const message = `the checksum of what was stored is ${stored}, the client's is ${theirs}`;
  return { code: "checksum_mismatch", message };
}

/** The error for a file that the client cannot read. The client may only use some of the codes. */
function errorOf({ code, message }: Extract<SetRecord, { type: "skip" }>): Problem {
  const known = CLIENT_ERROR_CODES.find((each) => each === code);
  const isOfClient = known !== undefined && isDownloadErrorCode(known);
  return {
    code: isOfClient ? known : "file_unreadable",
    message: message.slice(0, MAX_ERROR_LENGTH),
  };
}

function placeOf({ place, path }: SetFile): string {
  if (place !== null) return place;
  throw new Error(`${JSON.stringify(path)} was wanted and has no place`);
}

const BLOCK = 1024 * 1024;

/** Hashes the first bytes of a part. */
export async function hashPart(part: Part, length: number, hash: Bun.CryptoHasher): Promise<void> {
  for (let at = 0; at < length;) {
    const block = await part.read(at, Math.min(BLOCK, length - at));
    if (block.length === 0) throw broken("a file of the set became shorter");
    await eventLoopBudget.run(() => hash.update(block));
    at += block.length;
  }
}
