import { recordLength, type SetRecord, writeRecord } from "../../protocol/set-records.ts";
import type { FrameOutlet } from "./frame-outlet.ts";

/** A frame with less room than this is not begun, and nothing is put behind more than fits: bytes. */
const LEAST_ROOM = 4 * 1024;
/** How many of the last frames can be made again, where they come damaged. */
const MAX_PLACES = 16 * 1024;

/** Where in a set a frame begins. */
export interface Place {
  /** Which of the wanted files, counted from the first that was ever wanted. */
  want: number;
  /** Bytes of that file that were sent before. */
  offset: number;
}

/** Puts records into frames: many small ones in one, a large file over many. */
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

  /** Where the next bytes of the frame go. */
  get target(): Uint8Array<ArrayBuffer> {
    return this.outlet.body.subarray(this.#length, this.#room);
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /**
   * Makes sure that a number of bytes fits, in a new frame where it has to be.
   * @param place where in the set the new frame would begin
   * @returns false where the frames are not wanted any more
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

  /** Adds a record, for which there is room. */
  add(record: SetRecord): void {
    writeRecord(this.target, 0, record);
    this.#length += recordLength(record);
  }

  /** Counts bytes that were written to {@link FrameBuilder.target}. */
  advance(bytes: number): void {
    this.#length += bytes;
  }

  /** Sends what there is. */
  async flush(): Promise<void> {
    const length = this.#length;
    this.#length = this.#room = 0;
    if (length > 0) await this.outlet.send(length);
  }

  /**
   * Begins again where a frame began that came damaged.
   * @returns its place; undefined if no frame that is remembered begins there
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
