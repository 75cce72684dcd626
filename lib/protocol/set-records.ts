import { FdsError } from "./errors.ts";

/*
 * The records in the frames of a set, big-endian. A frame holds whole records, one after the other, of one
 * large file or of many small ones.
 *
 *   START  u8 1   u32 index   u64 size   i64 mtime_ns   u64 offset
 *   DATA   u8 2   u32 length  the bytes
 *   END    u8 3   u8 changed  u8 length  the digest
 *   SKIP   u8 4   u32 index   u8 length  the code       u16 length  the message
 *
 * For each file, in the order in which the server asked for them, the client sends START, any number of
 * DATA, and END. If it cannot send the file, it sends SKIP.
 */

const START = 1;
const DATA = 2;
const END = 3;
const SKIP = 4;

/** Size in bytes of a START record, and of a DATA record's header. */
export const START_BYTES = 29;
export const DATA_HEADER_BYTES = 5;

export type SetRecord =
  /** Begins a file of `size` bytes. DATA records with its bytes follow, from `offset` on. */
  | { type: "start"; index: number; size: number; mtimeNs: bigint; offset: number }
  /** The next bytes of a file, as a view of the frame. */
  | { type: "data"; bytes: Uint8Array }
  /**
   * Ends a file. `digest` is of the whole file, in lower-case hex. `changed` tells whether the file changed
   * while it was read.
   */
  | { type: "end"; changed: boolean; digest: string }
  /** Tells why the client cannot send a file. */
  | { type: "skip"; index: number; code: string; message: string };

/** Returns the number of bytes that a record takes in a frame. */
export function recordLength(record: SetRecord): number {
  switch (record.type) {
    case "start":
      return START_BYTES;
    case "data":
      return DATA_HEADER_BYTES + record.bytes.length;
    case "end":
      return 3 + record.digest.length / 2;
    case "skip":
      return 8 + Buffer.byteLength(record.code) + Buffer.byteLength(record.message);
  }
}

/**
 * Writes a record into a frame.
 * @param target buffer with room for {@link recordLength} bytes from the offset `at` on
 * @returns the offset after the record
 */
export function writeRecord(target: Uint8Array, at: number, record: SetRecord): number {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  const end = at + recordLength(record);
  switch (record.type) {
    case "start":
      view.setUint8(at, START);
      view.setUint32(at + 1, record.index);
      view.setBigUint64(at + 5, BigInt(record.size));
      view.setBigInt64(at + 13, record.mtimeNs);
      view.setBigUint64(at + 21, BigInt(record.offset));
      return end;
    case "data":
      target.set(record.bytes, writeDataHeader(target, at, record.bytes.length));
      return end;
    case "end":
      view.setUint8(at, END);
      view.setUint8(at + 1, record.changed ? 1 : 0);
      view.setUint8(at + 2, record.digest.length / 2);
      target.set(Uint8Array.fromHex(record.digest), at + 3);
      return end;
    case "skip": {
      const code = Buffer.from(record.code);
      const message = Buffer.from(record.message);
      view.setUint8(at, SKIP);
      view.setUint32(at + 1, record.index);
      view.setUint8(at + 5, code.length);
      target.set(code, at + 6);
      view.setUint16(at + 6 + code.length, message.length);
      target.set(message, at + 8 + code.length);
      return end;
    }
  }
}

/**
 * Writes the header of a DATA record before bytes that are already in the frame.
 * @param length the number of bytes in the record
 * @returns the offset at which these bytes begin
 */
export function writeDataHeader(target: Uint8Array, at: number, length: number): number {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  view.setUint8(at, DATA);
  view.setUint32(at + 1, length);
  return at + DATA_HEADER_BYTES;
}

/**
 * Reads the records of a frame. The bytes of files are views of the frame, not copies.
 * @throws FdsError `protocol_error` if the frame is not a sequence of whole records
 */
export function* readRecords(frame: Uint8Array): Generator<SetRecord> {
  const reader = new RecordReader(frame);
  while (!reader.isAtEnd) yield reader.record();
}

/** Reads the records of a frame from front to end. */
class RecordReader {
  #at = 0;
  readonly #view: DataView;

  constructor(private readonly frame: Uint8Array) {
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.frame.length;
  }

  record(): SetRecord {
    const type = this.#u8();
    switch (type) {
      case START:
        return {
          type: "start",
          index: this.#u32(),
          size: this.#byteCount(),
          mtimeNs: this.#view.getBigInt64(this.#take(8)),
          offset: this.#byteCount(),
        };
      case DATA:
        return { type: "data", bytes: this.#bytes(this.#u32()) };
      case END:
        return { type: "end", changed: this.#flag(), digest: this.#bytes(this.#u8()).toHex() };
      case SKIP:
        return {
          type: "skip",
          index: this.#u32(),
          code: this.#text(this.#u8()),
          message: this.#text(this.#u16()),
        };
      default:
        throw protocolError(`unknown record ${type}`);
    }
  }

  /** Skips bytes. @returns the offset at which the skipped bytes begin */
  #take(length: number): number {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.frame.length) throw protocolError("a record reaches beyond its frame");
    return at;
  }

  #u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  #u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  #byteCount(): number {
    const count = this.#view.getBigUint64(this.#take(8));
    if (count > BigInt(Number.MAX_SAFE_INTEGER))
      throw protocolError(`${count} bytes are out of range`);
    return Number(count);
  }

  #flag(): boolean {
    const flag = this.#u8();
    if (flag > 1) throw protocolError(`a flag is ${flag}`);
    return flag === 1;
  }

  #bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.frame.subarray(at, at + length);
  }

  #text(length: number): string {
    return new TextDecoder().decode(this.#bytes(length));
  }
}

function protocolError(message: string): FdsError {
  return new FdsError("protocol_error", message);
}
