import type { Labels } from "../../api/labels.ts";
import { COMMENT } from "../../util/server-sent-events.ts";
import { areOf, type Sites } from "../access/sites.ts";

/**
 * Maximum number of bytes that wait for a reader. Beyond that, the reader is too slow and is disconnected.
 */
const MAX_WAITING_BYTES = 512 * 1024;

/**
 * Maximum number of bytes that are counted for one waiting event, whatever its size, when a reader's waiting
 * bytes are compared with {@link MAX_WAITING_BYTES}. A single event about a set with many long patterns can
 * have over 1 MiB, and would otherwise disconnect every reader. All readers share the bytes of an event.
 */
const MAX_COUNTED_BYTES = 8 * 1024;

/** The approximate number of bytes handed to a reader at once. Only these bytes are held for it alone. */
export const PIECE_BYTES = 32 * 1024;

const COMMENT_BYTES = new TextEncoder().encode(COMMENT);

/** An event that is formatted once for all readers. */
export interface Announcement {
  /**
   * Subject of the event, such as `download/ID`. A newer event with the same subject replaces a waiting one.
   */
  subject: string;
  /** Id of the client that the event is about; null: any reader may get the event. */
  clientId: string | null;
  /** The client's labels; absent: they are not needed to decide which readers get the event. */
  labels?: Labels;
  /** The event as text in UTF-8. */
  bytes: Uint8Array;
  /** True: no further event about the subject follows. */
  final: boolean;
}

/**
 * The events that wait for one reader: only the newest of each subject, so a slow reader gets fewer events.
 * All readers share the bytes of an event. A reader for whom too many bytes wait is disconnected, and may
 * connect again. Final events are not lost, as no newer event replaces them.
 */
export class EventReader {
  readonly #waiting = new Map<string, Uint8Array>();
  #waitingBytes = 0;
  #wake = Promise.withResolvers<void>();
  #hasEnded = false;
  readonly #endController = new AbortController();
  /** True: the reader has asked for more events since the last {@link keepAlive}. */
  #isActive = true;

  /**
   * @param subject the reader gets only events about this subject, until the subject ends; null: all events
   * @param sites the reader gets only events about these clients; null: about all clients
   * @param tokenHash hash of the reader's token; null: the reader uses the API_TOKEN of the settings, needs
   * no token, or gets only one subject
   */
  constructor(
    private readonly subject: string | null,
    readonly sites: Sites | null = null,
    readonly tokenHash: string | null = null,
  ) {}

  /** Reports whether labels decide which clients the reader may see. */
  get needsLabels(): boolean {
    return this.sites?.selector != null;
  }

  /** Reports whether the reader gets events about a subject. */
  isSubscribedTo(subject: string): boolean {
    return !this.#hasEnded && (this.subject === null || this.subject === subject);
  }

  /** A key that all readers with the same access have in common. */
  get accessKey(): string {
    const { sites, tokenHash } = this;
    return sites === null ? "all" : JSON.stringify([tokenHash, [...sites.ids], sites.selector]);
  }

  /** Reports whether the reader takes no more events. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Aborted when the reader has left or was disconnected. */
  get endSignal(): AbortSignal {
    return this.#endController.signal;
  }

  /** Adds an event to those that wait. The reader gets it only after {@link wake}. */
  offer({ subject, clientId, labels, bytes, final }: Announcement): void {
    if (!this.isSubscribedTo(subject)) return;
    if (clientId !== null && !areOf(this.sites, clientId, labels ?? {})) return;
    this.#add(subject, bytes);
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.end();
    else if (final && this.subject !== null) this.#hasEnded = true;
  }

  /** Lets the reader take the events that wait. */
  wake(): void {
    if (this.#waiting.size > 0) this.#wake.resolve();
  }

  /**
   * Takes waiting events in their order.
   * @param maxBytes limit of the bytes to take; the first event is taken even if it has more bytes
   */
  take(maxBytes = Infinity): Uint8Array[] {
    const taken: Uint8Array[] = [];
    let remainingBytes = maxBytes;
    for (const [subject, bytes] of this.#waiting) {
      if (taken.length > 0 && bytes.length > remainingBytes) break;
      this.#remove(subject);
      taken.push(bytes);
      remainingBytes -= bytes.length;
    }
    return taken;
  }

  /** Yields events that wait, joined into pieces, and waits for more, until no more will follow. */
  async *news(): AsyncGenerator<Uint8Array> {
    while (!this.#hasEnded || this.#waiting.size > 0) {
      if (this.#waiting.size === 0) await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      if (this.#waiting.size > 0) yield joinPieces(this.take(PIECE_BYTES));
    }
  }

  /** Records that the reader took the last piece and asks for more. */
  noteActivity(): void {
    this.#isActive = true;
  }

  /**
   * Called periodically. Adds a comment, which keeps the connection alive, and disconnects a reader that has
   * not asked for more since the previous call.
   */
  keepAlive(): void {
    if (this.#hasEnded) return;
    if (!this.#isActive) return this.end();
    this.#isActive = false;
    this.#add("", COMMENT_BYTES);
  }

  /** Disconnects the reader and drops the events that wait. */
  end(): void {
    this.#hasEnded = true;
    this.take();
    this.#wake.resolve();
    this.#endController.abort();
  }

  #add(subject: string, bytes: Uint8Array): void {
    // The event goes behind all that wait, even where it replaces an older one on its subject, so that the
    // ids of sent events only rise.
    this.#remove(subject);
    this.#waiting.set(subject, bytes);
    this.#waitingBytes += countedBytes(bytes);
  }

  #remove(subject: string): void {
    this.#waitingBytes -= countedBytes(this.#waiting.get(subject));
    this.#waiting.delete(subject);
  }
}

function countedBytes(bytes: Uint8Array | undefined): number {
  return Math.min(bytes?.length ?? 0, MAX_COUNTED_BYTES);
}

/**
 * Pieces and the bytes that result from joining them. The key is the first piece. Readers that get the same
 * events share the joined bytes.
 */
const joinedPieces = new WeakMap<Uint8Array, { pieces: Uint8Array[]; whole: Uint8Array }>();

/** Joins the pieces into one. Readers for whom the same pieces wait share the result. */
function joinPieces(pieces: Uint8Array[]): Uint8Array {
  const [first = COMMENT_BYTES] = pieces;
  if (pieces.length <= 1) return first;
  const known = joinedPieces.get(first);
  const isSame = known?.pieces.length === pieces.length;
  if (isSame && known.pieces.every((piece, n) => piece === pieces[n])) return known.whole;
  const whole = Buffer.concat(pieces);
  joinedPieces.set(first, { pieces, whole });
  return whole;
}
