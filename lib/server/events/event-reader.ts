import type { Labels } from "../../api/labels.ts";
import { COMMENT } from "../../util/server-sent-events.ts";
import { areOf, type Sites } from "../access/sites.ts";

/** A reader with more waiting bytes than this is too slow. */
const MAX_WAITING_BYTES = 512 * 1024;

/**
 * Most bytes that one event counts for. A set with many long patterns has over 1 MiB, but all readers share
 * it, and one that keeps up takes it at once.
 */
const MAX_COUNTED_BYTES = 8 * 1024;

/** Bytes that are handed to a reader at a time, about; only these use memory of its own. */
export const PIECE_BYTES = 32 * 1024;

const COMMENT_BYTES = new TextEncoder().encode(COMMENT);

/** An event that is formatted once for all readers. */
export interface Announcement {
  /** What the event is about. A newer event with the same subject replaces it while it waits. */
  subject: string;
  /** The client that the event is about; null: any reader may get it. */
  clientId: string | null;
  /** The client's labels, if a reader needs them. */
  labels?: Labels;
  /** The formatted event. */
  bytes: Uint8Array;
  /** True: no further event about this subject will come. */
  final: boolean;
}

/**
 * The events that wait for one reader, only the newest of each subject, so that a slow reader gets fewer of
 * them. All readers share the bytes of an event. A reader for whom too many bytes wait is disconnected and
 * may come back. Final events are never lost, as nothing newer replaces them.
 */
export class EventReader {
  readonly #waiting = new Map<string, Uint8Array>();
  #waitingBytes = 0;
  #wake = Promise.withResolvers<void>();
  #ended = false;
  readonly #over = new AbortController();
  /** True: it asked for more since the last check. */
  #alive = true;

  /**
   * @param subject the only one that it gets events about, until its end; null: all
   * @param sites the only clients that it gets events about; null: all
   * @param tokenHash of the reader's token; null: not a token that an admin made
   */
  constructor(
    private readonly subject: string | null,
    readonly sites: Sites | null = null,
    readonly tokenHash: string | null = null,
  ) {}

  /** Whether labels decide which clients it may see. */
  get looksAtLabels(): boolean {
    return this.sites?.selector != null;
  }

  /** Whether it gets events about a subject. */
  hears(subject: string): boolean {
    return !this.#ended && (this.subject === null || this.subject === subject);
  }

  /** A key that readers with the same access share. */
  get right(): string {
    const { sites, tokenHash } = this;
    return sites === null ? "all" : JSON.stringify([tokenHash, [...sites.ids], sites.selector]);
  }

  /** Whether it takes no more events. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Aborted when it is gone or was disconnected. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Adds an event to those that wait. The reader goes on after {@link wake}. */
  offer({ subject, clientId, labels, bytes, final }: Announcement): void {
    if (!this.hears(subject)) return;
    if (clientId !== null && !areOf(this.sites, clientId, labels ?? {})) return;
    this.#add(subject, bytes);
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.end();
    else if (final && this.subject !== null) this.#ended = true;
  }

  /** Lets it go on with the waiting events. */
  wake(): void {
    if (this.#waiting.size > 0) this.#wake.resolve();
  }

  /** Takes waiting events in order. @param most bytes, unless the first event has more */
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

  /** The waiting events, in pieces, as they come; ends when no more will come. */
  async *news(): AsyncGenerator<Uint8Array> {
    while (!this.#ended || this.#waiting.size > 0) {
      if (this.#waiting.size === 0) await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      if (this.#waiting.size > 0) yield together(this.take(PIECE_BYTES));
    }
  }

  /** The reader took the last piece, and asks for more. */
  asks(): void {
    this.#alive = true;
  }

  /** Called periodically: sends a comment, and disconnects a reader that has not taken the last piece. */
  tend(): void {
    if (this.#ended) return;
    if (!this.#alive) return this.end();
    this.#alive = false;
    this.#add("", COMMENT_BYTES);
  }

  /** Ends the reader: drops what waits. */
  end(): void {
    this.#ended = true;
    this.take();
    this.#wake.resolve();
    this.#over.abort();
  }

  #add(subject: string, bytes: Uint8Array): void {
    // Moved to the end, so that the ids of sent events only rise.
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

/** Joined pieces by the first piece, so that readers with the same events share them. */
const joined = new WeakMap<Uint8Array, { pieces: Uint8Array[]; whole: Uint8Array }>();

/** Joins pieces, once for all readers for whom the same events wait. */
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
