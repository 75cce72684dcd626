import { FdsError } from "../../../protocol/errors.ts";
import type { Part } from "../storage.ts";
import { inS3, problemInS3 } from "./error.ts";
import { PieceReader } from "./piece-reader.ts";
import { cutName, type Piece, pieceName } from "./pieces.ts";
import type { S3Context } from "./place.ts";
import { Run } from "./run.ts";
import { Tail } from "./tail.ts";

/**
 * Age in ms at which a checkpoint stores the tail, an incomplete segment, as an object. Younger tails wait,
 * because each object costs money.
 */
const TAIL_MS = 1_000;
/**
 * Maximum number of segments that are not durable: one that fills up, and others that are being stored. A
 * crash loses all of them.
 */
const UNFLUSHED_SEGMENTS = 4;

/** Options of a part. `prefix` is the common prefix of its pieces' keys. */
export interface S3PartOptions extends S3Context {
  /** The existing pieces of the part, from its first byte on. */
  pieces: Piece[];
  /**
   * True: full segments are stored as a run, which is one multipart upload. False: each segment is an object,
   * which suits frequent flushes, as each flush would end the run.
   */
  useRuns: boolean;
  /**
   * Called when the part is closed.
   * @param pieces the pieces of the part; null: not known, because of an error or because a multipart upload
   *   is not completed
   */
  onClose: (pieces: Piece[] | null) => void;
}

/**
 * A piece, or a segment of an open run (a multipart upload). Segments cannot be read before the run is
 * completed. `isStored`: whether the bytes are stored.
 */
interface PlacedPiece extends Piece {
  isStored: boolean;
  run: Run | null;
}

/** A part whose bytes are stored as objects in S3. */
export class S3Part implements Part {
  readonly maxUnflushed: number;
  #writer = Bun.randomUUIDv7();
  #pieces: PlacedPiece[];
  #tail: Tail | undefined;
  /**
   * The open run: a multipart upload, to which the next full segments are added; undefined: no run is open.
   */
  #run: Run | undefined;
  /** Requests under way that store bytes or complete multipart uploads, oldest first. */
  readonly #puts = new Set<Promise<void>>();
  #problem: FdsError | undefined;
  /** Number of durable bytes at the last checkpoint; 0 after {@link S3Part.truncate}. */
  #reportedLength = 0;
  readonly #reader: PieceReader;

  constructor(private readonly options: S3PartOptions) {
    this.maxUnflushed = UNFLUSHED_SEGMENTS * options.segment;
    this.#pieces = options.pieces.map((piece) => ({ ...piece, isStored: true, run: null }));
    this.#reader = new PieceReader(options);
  }

  get size(): number {
    return this.#tail?.end ?? endOf(this.#pieces.at(-1));
  }

  async truncate(size: number): Promise<void> {
    if (size >= this.size) return;
    await this.#settle();
    this.#reader.drop();
    this.#cutTail(size);
    const kept = this.#pieces.filter(({ offset }) => offset < size);
    const dropped = this.#pieces.slice(kept.length).map(({ key }) => key);
    const last = kept.at(-1);
    if (last && endOf(last) > size) {
      await this.#cut(size);
      kept[kept.length - 1] = { ...last, length: size - last.offset };
    }
    this.#pieces = kept;
    this.#reportedLength = 0;
    await inS3("shorten the part", () => this.options.objects.remove(dropped));
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    if (offset !== this.size) {
      throw new FdsError("storage_error", "a part is written at its end, and nowhere else");
    }
    for (let done = 0; done < bytes.length;) {
      this.#throwProblem();
      const { size } = this;
      const { segment } = this.options;
      const room = segment - (size % segment);
      const some = bytes.subarray(done, done + Math.min(room, bytes.length - done));
      const tail = await this.#tailFor(some.length);
      if (!tail) continue;
      tail.add(some);
      done += some.length;
      if (tail.end % segment === 0) this.#send();
    }
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    await this.#settle();
    const end = Math.min(this.size, offset + length);
    const bytes = new Uint8Array(Math.max(0, end - offset));
    for (let at = offset; at < end;) {
      const tail = this.#tail;
      const found =
        tail && at >= tail.offset
          ? tail.bytes.subarray(at - tail.offset)
          : await this.#reader.read(this.#pieces, at);
      const some = found.subarray(0, end - at);
      bytes.set(some, at - offset);
      at += some.length;
    }
    // The caller has read to the end, so the memory of the last read is freed.
    if (end === this.size) this.#reader.drop();
    return bytes;
  }

  async sync(): Promise<void> {
    this.#send(true);
    await this.#settle();
  }

  async checkpoint(offset: number): Promise<number> {
    const { now } = this.options;
    if (this.#tail && now() - this.#tail.beganAt >= TAIL_MS) this.#send();
    if (this.#storedLength === this.#reportedLength)
      await Promise.race(this.#puts.size > 0 ? this.#puts : [null]);
    this.#throwProblem();
    this.#reportedLength = this.#storedLength;
    return Math.min(this.#reportedLength, offset);
  }

  async close(): Promise<void> {
    this.#reader.drop();
    this.#tail?.free();
    this.#tail = undefined;
    await Promise.all(this.#puts);
    // An open multipart upload is left as it is. It is completed when the part is opened again, or aborted
    // when the part is removed.
    const arePiecesKnown = !this.#run && !this.#problem;
    this.options.onClose(arePiecesKnown ? this.#pieces : null);
  }

  /** Number of bytes from the start of the part that are stored in S3. */
  get #storedLength(): number {
    const first = this.#pieces.findIndex(({ isStored }) => !isStored);
    return endOf(first < 0 ? this.#pieces.at(-1) : this.#pieces[first - 1]);
  }

  /**
   * Returns the tail with room for this many more bytes. If there is too little free memory, waits for a
   * running request of this part, which frees some. If no request runs, stores the tail as it is, so that no
   * part waits for memory while holding some.
   * @returns null after such a wait or store: the caller has to call again
   */
  async #tailFor(room: number): Promise<Tail | null> {
    const isFast = this.#run?.end === this.size;
    this.#tail ??= await Tail.begin(this.options, this.size, { room, isFast });
    if (this.#tail.makeRoomFor(room)) return this.#tail;
    if (this.#puts.size > 0) await Promise.race(this.#puts);
    else this.#send();
    return null;
  }

  /**
   * Stores the tail, which is the buffer of the last bytes. If runs are used, a full segment is added to the
   * open run (a multipart upload), and a run is begun if none is open. Any other tail ends the run and is
   * stored as an object.
   * @param isLast true: the part is being flushed. The tail may become the last segment of the run, which is
   *   then completed
   */
  #send(isLast = false): void {
    const tail = this.#tail;
    this.#tail = undefined;
    if (tail && tail.length > 0) {
      const run = this.#runFor(tail, isLast);
      const piece = this.#addPiece(tail, run);
      this.#track(this.#put(piece, tail, run));
    } else tail?.free();
    if (isLast) this.#endRun();
  }

  #runFor({ offset, length }: Tail, isLast: boolean): Run | null {
    const { segment, objects, prefix, useRuns } = this.options;
    const isNext = this.#run?.end === offset && !this.#run.isFull;
    if (!isNext) this.#endRun();
    if (length === segment && useRuns) {
      const name = pieceName({ offset, length: null, writer: this.#writer });
      this.#run ??= new Run(objects, prefix + name, offset);
    } else if (!isLast) this.#endRun();
    return this.#run ?? null;
  }

  #addPiece({ offset, length }: Tail, run: Run | null): PlacedPiece {
    const own = this.options.prefix + pieceName({ offset, length, writer: this.#writer });
    const key = run?.key ?? own;
    const start = offset - (run?.offset ?? offset);
    const piece = { key, etag: "", size: length, start, offset, length, isStored: false, run };
    this.#pieces.push(piece);
    return piece;
  }

  async #put(piece: PlacedPiece, tail: Tail, run: Run | null): Promise<void> {
    const { objects } = this.options;
    try {
      const { bytes } = tail;
      piece.etag = await (run ? run.put(bytes) : objects.put(piece.key, bytes));
      piece.isStored = true;
    } catch (error) {
      this.#problem ??= problemInS3("write the part", error);
    } finally {
      tail.free();
    }
  }

  /** Ends the open run, if any. Its multipart upload is completed once all segments are stored. */
  #endRun(): void {
    const run = this.#run;
    if (!run) return;
    this.#run = undefined;
    this.#track(this.#complete(run, [...this.#puts]));
  }

  async #complete(run: Run, puts: Promise<void>[]): Promise<void> {
    await Promise.all(puts);
    if (this.#problem) return;
    try {
      const { key, size, etag } = await run.complete();
      const { offset } = run;
      const whole = { key, etag, size, start: 0, offset, length: size, isStored: true, run: null };
      const first = this.#pieces.findIndex((piece) => piece.run === run);
      const count = this.#pieces.filter((piece) => piece.run === run).length;
      this.#pieces.splice(first, count, whole);
    } catch (error) {
      this.#problem ??= problemInS3("write the part", error);
    }
  }

  #track(work: Promise<void>): void {
    const put = work.finally(() => this.#puts.delete(put));
    this.#puts.add(put);
  }

  /**
   * Completes the open multipart upload, and waits until all bytes except the buffered tail are stored as
   * objects.
   */
  async #settle(): Promise<void> {
    this.#endRun();
    await Promise.all(this.#puts);
    this.#throwProblem();
  }

  /**
   * Throws the first error that occurred while bytes were stored. The part lacks these bytes, so no more
   * bytes are accepted.
   */
  #throwProblem(): void {
    if (this.#problem) throw this.#problem;
  }

  #cutTail(size: number): void {
    this.#tail?.cut(size);
    if (this.#tail?.length !== 0) return;
    this.#tail.free();
    this.#tail = undefined;
  }

  /**
   * Shortens the part to `length` bytes: stores an empty object, a cut, whose key contains this length. A cut
   * applies only to pieces of older writers, so the part continues with a new writer's id.
   */
  async #cut(length: number): Promise<void> {
    const { objects, prefix } = this.options;
    this.#writer = Bun.randomUUIDv7();
    const key = prefix + cutName({ length, writer: this.#writer });
    await inS3("shorten the part", () => objects.put(key, new Uint8Array(0)));
  }
}

function endOf(piece: PlacedPiece | undefined): number {
  return piece ? piece.offset + piece.length : 0;
}
