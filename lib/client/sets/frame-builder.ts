import { HEADER_BYTES } from "../../protocol/frame.ts";
import {
  DATA_HEADER_BYTES,
  recordLength,
  type SetRecord,
  writeDataHeader,
  writeRecord,
} from "../../protocol/set-records.ts";
import type { FrameOutlet } from "./frame-outlet.ts";

/** A new frame is begun once the server's credit allows at least this many bytes. */
const MIN_FRAME_ROOM = 4 * 1024;
/**
 * Maximum number of frames whose position is remembered, so that a frame that arrived damaged can be sent
 * again.
 */
const MAX_POSITIONS = 16 * 1024;

/** The position in a set at which a frame begins. */
export interface SetPosition {
  /**
   * Number of the file in which the frame begins, among all files that the server asked for in this attempt,
   * from 0.
   */
  fileNumber: number;
  /** Offset in this file, in bytes, at which the frame begins. */
  offset: number;
}

/** Packs records into frames. A frame holds many small files, and a large file spans many frames. */
export class FrameBuilder {
  #room = 0;
  #length = 0;
  readonly #positions: { at: number; position: SetPosition }[] = [];

  constructor(
    private readonly outlet: FrameOutlet,
    private readonly isWanted: () => boolean,
  ) {}

  /** Free bytes in the current frame. */
  get freeBytes(): number {
    return this.#room - this.#length;
  }

  /** The free part of the current frame's buffer. */
  get target(): Uint8Array<ArrayBuffer> {
    return this.outlet.body.subarray(this.#length, this.#room);
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /**
   * Makes room in the current frame for a number of bytes. If the frame is too full, sends it and begins
   * another.
   * @param position position in the set at which a new frame would begin
   * @returns false if the stream was stopped or is to be rewound
   */
  async makeRoom(bytes: number, position: SetPosition): Promise<boolean> {
    if (this.freeBytes >= bytes) return true;
    await this.flush();
    const minBytes = Math.min(this.outlet.body.length, Math.max(bytes, MIN_FRAME_ROOM));
    this.#room = await this.outlet.waitForCredit(minBytes, this.isWanted);
    if (this.#room === 0) return false;
    this.#positions.push({ at: this.outlet.offset, position });
    if (this.#positions.length > MAX_POSITIONS) this.#positions.shift();
    return true;
  }

  /** Appends a record to the current frame, which must have room for the record. */
  add(record: SetRecord): void {
    writeRecord(this.target, 0, record);
    this.#length += recordLength(record);
  }

  /** Sends the records collected so far as one frame. */
  async flush(): Promise<void> {
    const length = this.#length;
    this.#length = this.#room = 0;
    if (length > 0) await this.outlet.send(this.outlet.body.subarray(0, length));
  }

  /**
   * Reports whether the buffer that holds the given bytes has enough space before them for the frame's header
   * and earlier records, as {@link FrameBuilder.sendInPlace} needs.
   */
  hasRoomBefore({ byteOffset }: Uint8Array): boolean {
    return byteOffset >= HEADER_BYTES + this.#length + DATA_HEADER_BYTES;
  }

  /**
   * Adds a DATA record and sends the frame, without copying the record's bytes. The frame's earlier records
   * and the DATA header are written into the buffer of `bytes`, directly before them.
   * @param bytes at most {@link FrameBuilder.freeBytes} less the header of a DATA record
   */
  async sendInPlace(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const earlierRecords = this.outlet.body.subarray(0, this.#length);
    const head = earlierRecords.length + DATA_HEADER_BYTES;
    const start = bytes.byteOffset - head;
    const frame = new Uint8Array(bytes.buffer, start, head + bytes.length);
    frame.set(earlierRecords);
    writeDataHeader(frame, earlierRecords.length, bytes.length);
    this.#length = this.#room = 0;
    await this.outlet.send(frame);
  }

  /**
   * Goes back to the start of a frame that arrived damaged.
   * @param at stream offset of the damaged frame, in bytes
   * @returns the position in the set at which the frame began; undefined if the frame is not remembered
   */
  rewind(at: number): SetPosition | undefined {
    const index = this.#positions.findLastIndex((known) => known.at === at);
    const position = this.#positions[index]?.position;
    if (position === undefined) return undefined;
    this.#positions.length = index;
    this.#length = this.#room = 0;
    this.outlet.rewind(at);
    return position;
  }
}
