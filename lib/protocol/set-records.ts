import { FdsError } from "./errors.ts";

/*
 * What the frames of a set hold: records, one behind the other, big-endian. A frame holds whole
 * records, of one large file or of many small ones.
 *
 *   START  u8 1   u32 index   u64 size   i64 mtime_ns   u64 offset
 *   DATA   u8 2   u32 length  the bytes
 *   END    u8 3   u8 changed  u8 length  the digest
 *   SKIP   u8 4   u32 index   u8 length  the code       u16 length  the message
 *
 * Each wanted file is answered, in the order of the wants, by START, DATA for each piece and END, or
 * by SKIP.
 */

const START = 1;
const DATA = 2;
const END = 3;
const SKIP = 4;

/** Bytes of a START record, and of the head of a DATA record. */
export const START_BYTES = 29;
export const DATA_HEADER_BYTES = 5;

export type SetRecord =
  /** A file is open. Its bytes follow from `offset` on; `size` is how many it has. */
  | { type: "start"; index: number; size: number; mtimeNs: bigint; offset: number }
  /** The next bytes of the file; a view of the frame. */
  | { type: "data"; bytes: Uint8Array }
  /**
   * All bytes came. `digest` is of the whole file, lower-case hex; `changed`: the file changed while it was
   * read.
   */
  | { type: "end"; changed: boolean; digest: string }
  /** The client cannot send this file, for the reason that is named. */
  | { type: "skip"; index: number; code: string; message: string };

/** Bytes that a record takes in a frame. */
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
 * Writes a record.
 * @param target with {@link recordLength} bytes of room at `at`
 * @returns where the next record goes
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
 * Writes the head of a DATA record whose bytes are in their place already.
 * @param length of the record's bytes
 * @returns where these bytes begin
 */
export function writeDataHeader(target: Uint8Array, at: number, length: number): number {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  view.setUint8(at, DATA);
  view.setUint32(at + 1, length);
  return at + DATA_HEADER_BYTES;
}

/**
 * Reads the records of a frame; the bytes of files are views, not copies.
 * @throws FdsError `protocol_error` when they are no whole records
 */
export function* readRecords(frame: Uint8Array): Generator<SetRecord> {
  const reader = new RecordReader(frame);
  while (!reader.isAtEnd) yield reader.record();
}

/** Takes a frame apart from its front to its end. */
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
        throw broken(`unknown record ${type}`);
    }
  }

  /** @returns where the next `length` bytes begin */
  #take(length: number): number {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.frame.length) throw broken("a record reaches beyond its frame");
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
    if (count > BigInt(Number.MAX_SAFE_INTEGER)) throw broken(`${count} bytes are out of range`);
    return Number(count);
  }

  #flag(): boolean {
    const flag = this.#u8();
    if (flag > 1) throw broken(`a flag is ${flag}`);
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

function broken(message: string): FdsError {
  return new FdsError("protocol_error", message);
}
