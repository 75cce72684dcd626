import { FdsError } from "../../../protocol/errors.ts";
import type { Part } from "../storage.ts";
import { inS3, problemInS3 } from "./error.ts";
import { type Piece, pieceName } from "./pieces.ts";
import type { Place } from "./place.ts";

/** Age, in ms, at which a tail becomes an object by a checkpoint. Each object costs money. */
const TAIL_MS = 1_000;
/** Most segments that are not durable: one fills up while others are being stored. A crash loses them. */
const UNSAFE_SEGMENTS = 4;
/** First size of a tail's buffer, in bytes. */
const FIRST_BUFFER = 256 * 1024;
/** Factor by which the buffer grows. */
const GROWTH = 8;

/** @property prefix of the pieces' keys */
export interface S3PartOptions extends Place {
  /** The pieces that exist, from the first byte on. */
  pieces: Piece[];
  onClose: (pieces: Piece[]) => void;
}

/** Bytes that are in no object yet. */
interface Buffer {
  offset: number;
  bytes: Uint8Array<ArrayBuffer>;
  length: number;
  /** When its first byte came. */
  since: number;
}

/** A piece; its ETag is null while it is being stored. */
type Placed = Omit<Piece, "etag"> & { etag: string | null };

/** A part whose bytes are stored as objects. */
export class S3Part implements Part {
  readonly maxUnsafe: number;
  readonly #writer = Bun.randomUUIDv7();
  #pieces: Placed[];
  #buffer: Buffer | undefined;
  /** Running puts, oldest first. */
  readonly #puts = new Set<Promise<void>>();
  #problem: FdsError | undefined;
  /** Durable bytes at the last checkpoint. */
  #told = 0;
  /** The piece that was read last, in which reading continues. */
  #readAhead: { key: string; bytes: Uint8Array<ArrayBuffer> } | undefined;

  constructor(private readonly options: S3PartOptions) {
    this.maxUnsafe = UNSAFE_SEGMENTS * options.segment;
    this.#pieces = [...options.pieces];
  }

  get size(): number {
    return this.#buffer ? this.#buffer.offset + this.#buffer.length : endOf(this.#pieces.at(-1));
  }

  async truncate(size: number): Promise<void> {
    if (size >= this.size) return;
    await this.#settled();
    this.#dropReadAhead();
    this.#cutBuffer(size);
    const kept = this.#pieces.filter(({ offset }) => offset < size);
    const dropped = this.#pieces.slice(kept.length).map(({ key }) => key);
    const last = kept.at(-1);
    if (last && endOf(last) > size) {
      kept[kept.length - 1] = await this.#cut(last, size - last.offset);
      dropped.push(last.key);
    }
    this.#pieces = kept;
    this.#told = 0;
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
      const piece = bytes.subarray(done, done + Math.min(room, bytes.length - done));
      if (!(await this.#hasRoomFor(piece.length))) continue;
      const buffer = this.#buffer;
      if (!buffer) continue;
      buffer.bytes.set(piece, buffer.length);
      buffer.length += piece.length;
      done += piece.length;
      if (this.size % segment === 0) this.#send();
    }
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    await this.#settled();
    const end = Math.min(this.size, offset + length);
    const bytes = new Uint8Array(Math.max(0, end - offset));
    for (let at = offset; at < end;) {
      const found = await this.#readPiece(at);
      const some = found.subarray(0, end - at);
      bytes.set(some, at - offset);
      at += some.length;
      if (some.length === found.length) this.#dropReadAhead();
    }
    return bytes;
  }

  async sync(): Promise<void> {
    this.#send();
    await this.#settled();
  }

  async checkpoint(offset: number): Promise<number> {
    const { now } = this.options;
    if (this.#buffer && now() - this.#buffer.since >= TAIL_MS) this.#send();
    if (this.#safe === this.#told) await Promise.race(this.#puts.size > 0 ? this.#puts : [null]);
    this.#throwProblem();
    this.#told = this.#safe;
    return Math.min(this.#told, offset);
  }

  async close(): Promise<void> {
    this.#dropReadAhead();
    if (this.#buffer) this.options.memory.giveBackBuffer(this.#buffer.bytes);
    this.#buffer = undefined;
    await Promise.all(this.#puts);
    this.options.onClose(this.#pieces.filter((piece) => isStored(piece)));
  }

  /** Bytes from the start that are stored as objects. */
  get #safe(): number {
    const first = this.#pieces.findIndex((piece) => !isStored(piece));
    return first < 0 ? endOf(this.#pieces.at(-1)) : endOf(this.#pieces[first - 1]);
  }

  /**
   * Makes room at the end of the buffer. Where memory is short, running puts will free some. Without
   * running puts, the buffer becomes an object, so that nobody holds memory while waiting for others to
   * free theirs.
   * @returns false if the buffer has to be looked at again
   */
  async #hasRoomFor(bytes: number): Promise<boolean> {
    const { segment, memory, now } = this.options;
    const buffer = this.#buffer;
    if (!buffer) {
      const capacity = Math.min(segment, Math.max(bytes, FIRST_BUFFER));
      const fresh = await memory.buffer(capacity);
      this.#buffer = { offset: this.size, bytes: fresh, length: 0, since: now() };
      return true;
    }
    const { length, bytes: before } = buffer;
    if (length + bytes <= before.length) return true;
    const capacity = Math.min(segment, Math.max(length + bytes, GROWTH * before.length));
    const larger = memory.bufferIfFree(capacity);
    if (!larger) {
      if (this.#puts.size > 0) await Promise.race(this.#puts);
      else this.#send();
      return false;
    }
    larger.set(before.subarray(0, length));
    buffer.bytes = larger;
    memory.giveBackBuffer(before);
    return true;
  }

  /** Stores the buffer as an object. */
  #send(): void {
    const buffer = this.#buffer;
    if (!buffer) return;
    this.#buffer = undefined;
    const { offset, length } = buffer;
    const key = this.options.prefix + pieceName(offset, length, this.#writer);
    const piece: Placed = { key, offset, length, etag: null };
    this.#pieces.push(piece);
    const put = this.#put(piece, buffer).finally(() => this.#puts.delete(put));
    this.#puts.add(put);
  }

  async #put(piece: Placed, { bytes, length }: Buffer): Promise<void> {
    const { objects, memory } = this.options;
    try {
      piece.etag = await objects.put(piece.key, bytes.subarray(0, length));
    } catch (error) {
      this.#problem ??= problemInS3("write the part", error);
    } finally {
      memory.giveBackBuffer(bytes);
    }
  }

  /** Waits for the running puts. @throws FdsError if one failed */
  async #settled(): Promise<void> {
    await Promise.all(this.#puts);
    this.#throwProblem();
  }

  /** After an error nothing more is accepted, as a piece is missing. */
  #throwProblem(): void {
    if (this.#problem) throw this.#problem;
  }

  /** Reads from an offset up to the end of its piece. */
  async #readPiece(at: number): Promise<Uint8Array> {
    const buffer = this.#buffer;
    if (buffer && at >= buffer.offset)
      return buffer.bytes.subarray(at - buffer.offset, buffer.length);
    const piece = this.#pieces[this.#indexOf(at)];
    if (!piece || !isStored(piece)) throw new FdsError("storage_error", "a piece is missing");
    if (this.#readAhead?.key !== piece.key) {
      this.#dropReadAhead();
      await this.options.memory.take(piece.length);
      const bytes = await this.#fetch(piece, piece.length).catch((error: unknown) => {
        this.options.memory.giveBack(piece.length);
        throw error;
      });
      this.#readAhead = { key: piece.key, bytes };
    }
    return this.#readAhead.bytes.subarray(at - piece.offset);
  }

  #fetch({ key, etag }: Piece, end: number): Promise<Uint8Array<ArrayBuffer>> {
    return inS3("read the part", () => this.options.objects.get(key, { start: 0, end }, etag));
  }

  /** The index of the piece that contains an offset. */
  #indexOf(at: number): number {
    let [low, high] = [0, this.#pieces.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#pieces[middle]?.offset ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #dropReadAhead(): void {
    if (this.#readAhead) this.options.memory.giveBack(this.#readAhead.bytes.length);
    this.#readAhead = undefined;
  }

  #cutBuffer(size: number): void {
    const buffer = this.#buffer;
    if (!buffer) return;
    buffer.length = Math.max(0, Math.min(buffer.length, size - buffer.offset));
    if (buffer.length > 0) return;
    this.options.memory.giveBackBuffer(buffer.bytes);
    this.#buffer = undefined;
  }

  /** Makes a piece of its own from the first bytes of another. */
  async #cut(piece: Placed, length: number): Promise<Piece> {
    if (!isStored(piece)) throw new FdsError("storage_error", "a piece is missing");
    const { objects, prefix, memory } = this.options;
    return memory.with(length, async () => {
      const bytes = await this.#fetch(piece, length);
      const key = prefix + pieceName(piece.offset, length, this.#writer);
      const etag = await inS3("shorten the part", () => objects.put(key, bytes));
      return { key, offset: piece.offset, length, etag };
    });
  }
}

function isStored(piece: Placed): piece is Piece {
  return piece.etag !== null;
}

function endOf(piece: Placed | undefined): number {
  return piece ? piece.offset + piece.length : 0;
}
