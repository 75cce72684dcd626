import type { Labels } from "../../api/labels.ts";
import { COMMENT } from "../../util/server-sent-events.ts";
import { areOf, type Sites } from "../access/sites.ts";

/** When more bytes than this wait for a reader, it is too slow. */
const MAX_WAITING_BYTES = 512 * 1024;

/**
 * No event counts as more: a set of many long patterns has over 1 MiB, which all readers share and one
 * who keeps up takes at once.
 */
const MAX_COUNTED_BYTES = 8 * 1024;

/** About this many bytes are handed to a reader at a time: only these are its own memory. */
export const PIECE_BYTES = 32 * 1024;

const COMMENT_BYTES = new TextEncoder().encode(COMMENT);

/** An event, made once for all readers. */
export interface Announcement {
  /** What it is about: a newer one takes its place where it still waits. */
  subject: string;
  /** The client that the event is about; null: whoever is offered it may hear of it. */
  clientId: string | null;
  /** Its labels now, where a reader wants to know. */
  labels?: Labels;
  /** The event as it is sent. */
  bytes: Uint8Array;
  /** Nothing more will come about this subject. */
  final: boolean;
}

/**
 * What waits for one reader: about each subject only the newest, so that one who reads slowly is
 * told less often. All readers share the bytes of an event. One for whom too many bytes wait is given
 * up, and may come back: what is final is never lost, as nothing newer comes.
 */
export class EventReader {
  readonly #waiting = new Map<string, Uint8Array>();
  #waitingBytes = 0;
  #wake = Promise.withResolvers<void>();
  #ended = false;
  readonly #over = new AbortController();
  /** It asked for more since it was last tended. */
  #alive = true;

  /**
   * @param subject the only one it hears of, up to its end; null: all
   * @param sites the only clients it hears of; null: all
   * @param tokenHash of whoever reads; null: an admin did not make the token
   */
  constructor(
    private readonly subject: string | null,
    readonly sites: Sites | null = null,
    readonly tokenHash: string | null = null,
  ) {}

  /** True where labels decide which clients it hears of. */
  get looksAtLabels(): boolean {
    return this.sites?.selector != null;
  }

  /** Whether it hears of a subject. */
  hears(subject: string): boolean {
    return !this.#ended && (this.subject === null || this.subject === subject);
  }

  /** A key that readers with the same right share. */
  get right(): string {
    const { sites, tokenHash } = this;
    return sites === null ? "all" : JSON.stringify([tokenHash, [...sites.ids], sites.selector]);
  }

  /** True once it takes no more events. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Aborted when it is gone, or given up. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Lets an event wait. The reader goes on with it once it is woken. */
  offer({ subject, clientId, labels, bytes, final }: Announcement): void {
    if (!this.hears(subject)) return;
    if (clientId !== null && !areOf(this.sites, clientId, labels ?? {})) return;
    this.#add(subject, bytes);
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.end();
    else if (final && this.subject !== null) this.#ended = true;
  }

  /** Lets it go on with what waits. */
  wake(): void {
    if (this.#waiting.size > 0) this.#wake.resolve();
  }

  /**
   * What waits, in the order it came, perhaps nothing.
   * @param most bytes, unless the first event has more
   */
  take(most = Infinity): Uint8Array[] {
    const taken: Uint8Array[] = [];
    let left = most;
    for (const [subject, bytes] of this.#waiting) {
      if (taken.length > 0 && bytes.length > left) break;
      this.#remove(subject);
      taken.push(bytes);
      left -= bytes.length;
    }
    return taken;
  }

  /** What waits, piece by piece, as soon as there is something; ends when nothing more will come. */
  async *news(): AsyncGenerator<Uint8Array> {
    while (!this.#ended || this.#waiting.size > 0) {
      if (this.#waiting.size === 0) await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      if (this.#waiting.size > 0) yield together(this.take(PIECE_BYTES));
    }
  }

  /** It took the last of what it was given, and asks for more. */
  asks(): void {
    this.#alive = true;
  }

  /** Called now and then: sends a comment, and gives up a reader that still has not taken the last. */
  tend(): void {
    if (this.#ended) return;
    if (!this.#alive) return this.end();
    this.#alive = false;
    this.#add("", COMMENT_BYTES);
  }

  /** It is gone, or given up: what waits is dropped. */
  end(): void {
    this.#ended = true;
    this.take();
    this.#wake.resolve();
    this.#over.abort();
  }

  #add(subject: string, bytes: Uint8Array): void {
    // Behind the others, so that the ids of what is sent only rise.
    this.#remove(subject);
    this.#waiting.set(subject, bytes);
    this.#waitingBytes += countOf(bytes);
  }

  #remove(subject: string): void {
    this.#waitingBytes -= countOf(this.#waiting.get(subject));
    this.#waiting.delete(subject);
  }
}

function countOf(bytes: Uint8Array | undefined): number {
  return Math.min(bytes?.length ?? 0, MAX_COUNTED_BYTES);
}

/** What was put together last for those who begin with these bytes. */
const joined = new WeakMap<Uint8Array, { pieces: Uint8Array[]; whole: Uint8Array }>();

/** Bytes one behind the other: once for all readers for whom the same waits. */
function together(pieces: Uint8Array[]): Uint8Array {
  const [first = COMMENT_BYTES] = pieces;
  if (pieces.length <= 1) return first;
  const known = joined.get(first);
  const isSame = known?.pieces.length === pieces.length;
  if (isSame && known.pieces.every((piece, n) => piece === pieces[n])) return known.whole;
  const whole = Buffer.concat(pieces);
  joined.set(first, { pieces, whole });
  return whole;
}
