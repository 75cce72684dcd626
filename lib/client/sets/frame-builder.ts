import { HEADER_BYTES } from "../../protocol/frame.ts";
import {
  DATA_HEADER_BYTES,
  recordLength,
  type SetRecord,
  writeDataHeader,
  writeRecord,
} from "../../protocol/set-records.ts";
import type { FrameOutlet } from "./frame-outlet.ts";

/** Least room in a frame, in bytes, with which it is begun or continued. */
const LEAST_ROOM = 4 * 1024;
/** How many frames are remembered, to be made again where they arrive damaged. */
const MAX_PLACES = 16 * 1024;

/** Where in a set a frame begins. */
export interface Place {
  /** Number of the file among all that were ever wanted, from 0. */
  want: number;
  /** Bytes of that file that were sent in earlier frames. */
  offset: number;
}

/** Packs records into frames: many small files in one, a large file into many. */
export class FrameBuilder {
  #room = 0;
  #length = 0;
  readonly #places: { at: number; place: Place }[] = [];

  constructor(
    private readonly outlet: FrameOutlet,
    private readonly isWanted: () => boolean,
  ) {}

  /** Bytes that still fit into this frame. */
  get left(): number {
    return this.#room - this.#length;
  }

  /** The part of the frame that is still free. */
  get target(): Uint8Array<ArrayBuffer> {
    return this.outlet.body.subarray(this.#length, this.#room);
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /**
   * Makes room for a number of bytes, in a new frame where necessary.
   * @param place in the set at which the new frame would begin
   * @returns false where the frames are no longer wanted
   */
  async need(bytes: number, place: Place): Promise<boolean> {
    if (this.left >= bytes) return true;
    await this.flush();
    const least = Math.min(this.outlet.body.length, Math.max(bytes, LEAST_ROOM));
    this.#room = await this.outlet.waitForCredit(least, this.isWanted);
    if (this.#room === 0) return false;
    this.#places.push({ at: this.outlet.offset, place });
    if (this.#places.length > MAX_PLACES) this.#places.shift();
    return true;
  }

  /** Adds a record; there must be room for it. */
  add(record: SetRecord): void {
    writeRecord(this.target, 0, record);
    this.#length += recordLength(record);
  }

  /** Counts bytes that were written to {@link FrameBuilder.target}. */
  advance(bytes: number): void {
    this.#length += bytes;
  }

  /** Sends the frame as far as it is filled. */
  async flush(): Promise<void> {
    const length = this.#length;
    this.#length = this.#room = 0;
    if (length > 0) await this.outlet.send(this.outlet.body.subarray(0, length));
  }

  /** Whether {@link FrameBuilder.sendAround} has the room that it needs before these bytes. */
  fitsBefore({ byteOffset }: Uint8Array): boolean {
    return byteOffset >= HEADER_BYTES + this.#length + DATA_HEADER_BYTES;
  }

  /**
   * Adds a DATA record and sends the frame, without a copy of the record's bytes: everything else in the
   * frame is put before them in their own buffer, over what is there.
   * @param bytes at most {@link FrameBuilder.left} less the record's head
   */
  async sendAround(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const before = this.outlet.body.subarray(0, this.#length);
    const head = before.length + DATA_HEADER_BYTES;
    const start = bytes.byteOffset - head;
    const frame = new Uint8Array(bytes.buffer, start, head + bytes.length);
    frame.set(before);
    writeDataHeader(frame, before.length, bytes.length);
    this.#length = this.#room = 0;
    await this.outlet.send(frame);
  }

  /**
   * Goes back to the beginning of a frame that arrived damaged.
   * @returns its place; undefined if no remembered frame begins there
   */
  rewind(at: number): Place | undefined {
    const index = this.#places.findLastIndex((known) => known.at === at);
    const place = this.#places[index]?.place;
    if (place === undefined) return undefined;
    this.#places.length = index;
    this.#length = this.#room = 0;
    this.outlet.rewind(at);
    return place;
  }
}
