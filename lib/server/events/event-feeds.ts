import type { JobRecord } from "../../api/jobs.ts";
import type { FairTurns, InTurn } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import { formatEvent, formatStart } from "../../util/server-sent-events.ts";
import type { Caller } from "../access/caller.ts";
import type { OpenCalls } from "../access/open-calls.ts";
import type { Clients } from "../clients/clients.ts";
import type { Repository } from "../database/repository.ts";
import { type Download, hasEnded } from "../download.ts";
import { EventReader, PIECE_BYTES } from "./event-reader.ts";
import { eventResponse, headResponse } from "./event-response.ts";
import { type Events, subjectOf } from "./events.ts";
import { OpenStreams } from "./open-streams.ts";

/** Delay after which a disconnected reader of events should connect again, in ms. */
const RETRY_MS = 1_000;
/**
 * Downloads or clients that are read by one query, which takes about a millisecond. The next ones are read
 * when the reader has taken the events about these.
 */
const PAGE = 25;
/**
 * Maximum number of ended downloads that are reported to a reader that connects again. The reader can list
 * older ones by another REST call.
 */
const MAX_REPLAYED = 10_000;

const UNENDED = ["queued", "downloading", "verifying"] as const;

const encoder = new TextEncoder();

export interface EventFeedsOptions {
  repository: Pick<
    Repository,
    "beforeLatestEnds" | "countActive" | "endsBetween" | "getDownload" | "listDownloads"
  >;
  clients: Pick<Clients, "list">;
  events: Events;
  openCalls: OpenCalls;
  /**
   * Yields all jobs that have not ended, and the jobs that were made last, as far as a caller may see them.
   */
  openJobs: (caller: Caller, inTurn: InTurn) => AsyncIterable<JobRecord>;
  /** Lets the readers of different callers take turns at reading rows. */
  turns: FairTurns;
  logger: Logger;
}

/** A reader of all events that a caller may see. */
interface Subscription {
  reader: EventReader;
  caller: Caller;
  /** Revision of the last change before the reader joined. All later changes are reported to the reader. */
  joinRevision: number;
}

/** The streams of events: first the present state, then each change. */
export class EventFeeds {
  readonly #open = new OpenStreams();

  constructor(private readonly options: EventFeedsOptions) {}

  /**
   * Streams all clients, open jobs and unfinished downloads that the caller may see, then each change. A
   * reader that connects again with a Last-Event-ID also gets the downloads that ended meanwhile, at most the
   * latest {@link MAX_REPLAYED}. The stream first sends an id, so that a reader whose connection breaks
   * before the first event can also continue. An invalid Last-Event-ID is ignored.
   * @throws FdsError `rate_limited`
   */
  all(caller: Caller, request: Request): Response {
    const reader = new EventReader(null, caller.sites, caller.tokenHash);
    const lastEventId = request.headers.get("Last-Event-ID");
    return this.#respond(reader, caller, request, this.#all(reader, caller, lastEventId));
  }

  /**
   * Streams one download that the caller may see, until it has ended. A reader that connects again after the
   * last event gets status 204, which tells it to stop connecting.
   * @throws FdsError `rate_limited`
   */
  forDownload(download: Download, caller: Caller, request: Request): Response {
    const lastEventId = request.headers.get("Last-Event-ID");
    if (hasEnded(download) && lastEventId === String(download.revision)) {
      return new Response(null, { status: 204 });
    }
    const reader = new EventReader(subjectOf(download));
    return this.#respond(reader, caller, request, this.#one(reader, download.downloadId));
  }

  async *#all(
    reader: EventReader,
    caller: Caller,
    lastEventId: string | null,
  ): AsyncGenerator<Uint8Array> {
    const joinRevision = await this.options.events.join(reader);
    const subscription = { reader, caller, joinRevision };
    const since = isId(lastEventId)
      ? await this.#replayFrom(lastEventId, subscription)
      : joinRevision;
    yield encoder.encode(formatStart(RETRY_MS, since));
    yield* this.#endedSince(since, subscription);
    yield* this.#knownClients(subscription);
    yield* this.#openJobs(subscription);
    for (const status of UNENDED) yield* this.#downloadsOf(status, subscription);
    yield* reader.news();
  }

  /**
   * Returns the revision after which ended downloads are sent to a reader that connects again: the revision
   * of the reader's last event, or a later one if too many downloads have ended since.
   */
  async #replayFrom(lastEventId: string, { caller, joinRevision }: Subscription): Promise<number> {
    const { repository, turns } = this.options;
    const earliest = await turns.run(ownerOf(caller), () =>
      repository.beforeLatestEnds(MAX_REPLAYED),
    );
    return Math.min(joinRevision, Math.max(Number(lastEventId), earliest));
  }

  /** Yields ended downloads in the order of their revisions, so that an interrupted reader can continue. */
  async *#endedSince(
    since: number,
    { caller, joinRevision }: Subscription,
  ): AsyncGenerator<Uint8Array> {
    const { repository, events, turns } = this.options;
    for (let after = since, isMore = true; isMore;) {
      const filter = { after, upTo: joinRevision, sites: caller.sites, limit: PAGE };
      const rows = await turns.run(ownerOf(caller), () => repository.endsBetween(filter));
      yield* eventsOf(rows, (row) => events.downloadEvent(row, row.revision));
      after = rows.at(-1)?.revision ?? joinRevision;
      isMore = rows.length === PAGE;
    }
  }

  async *#knownClients(subscription: Subscription): AsyncGenerator<Uint8Array> {
    const { repository, clients, events } = this.options;
    const { sites } = subscription.caller;
    for (let after: string | undefined, isMore = true; isMore;) {
      const filter = { after, sites, limit: PAGE };
      const { earlier, found } = await this.#readFor(subscription, async () => ({
        rows: await clients.list(filter),
        active: await repository.countActive(),
      }));
      yield* earlier;
      yield* eventsOf(found.rows, (row) =>
        events.clientEvent(row, found.active, subscription.joinRevision),
      );
      after = found.rows.at(-1)?.clientId;
      isMore = found.rows.length === PAGE;
    }
  }

  async *#openJobs({ caller, joinRevision }: Subscription): AsyncGenerator<Uint8Array> {
    const { openJobs, turns } = this.options;
    const jobs = openJobs(caller, (piece) => turns.run(ownerOf(caller), piece));
    for await (const job of jobs) yield encoder.encode(formatEvent("job", job, joinRevision));
  }

  async *#downloadsOf(
    status: Download["status"],
    subscription: Subscription,
  ): AsyncGenerator<Uint8Array> {
    const { repository, events } = this.options;
    const { sites } = subscription.caller;
    for (let before: string | undefined, isMore = true; isMore;) {
      const filter = { status, sites, before, limit: PAGE };
      const { earlier, found } = await this.#readFor(subscription, () =>
        repository.listDownloads(filter),
      );
      yield* earlier;
      yield* eventsOf(found, (row) => events.downloadEvent(row, subscription.joinRevision));
      before = found.at(-1)?.downloadId;
      isMore = found.length === PAGE;
    }
  }

  /**
   * Reads rows for a reader of events.
   * @returns `found`: the rows; `earlier`: the events that were queued for the reader before the rows were
   *   read, and have to be sent before them
   */
  #readFor<T>({ reader, caller }: Subscription, read: () => Promise<T>) {
    const { events, turns } = this.options;
    const both = async () => ({ earlier: reader.take(), found: await read() });
    return turns.run(ownerOf(caller), () => events.inTurn(both));
  }

  async *#one(reader: EventReader, downloadId: string): AsyncGenerator<Uint8Array> {
    const { repository, events } = this.options;
    await events.join(reader);
    const download = await events.inTurn(async () => {
      reader.take();
      return repository.getDownload(downloadId);
    });
    if (!download) return;
    const { revision } = download;
    yield encoder.encode(
      formatStart(RETRY_MS, revision) + events.downloadEvent(download, revision),
    );
    if (!hasEnded(download)) yield* reader.news();
  }

  #respond(
    reader: EventReader,
    caller: Caller,
    { method }: Request,
    feed: AsyncGenerator<Uint8Array>,
  ): Response {
    if (method === "HEAD") return headResponse();
    const { events, openCalls } = this.options;
    const close = this.#open.add(caller.name);
    const release = openCalls.add(caller, () => leave());
    const leave = () => {
      release();
      close();
      events.leave(reader);
    };
    return eventResponse(this.#watched(reader, feed, leave), reader.endSignal, leave);
  }

  /**
   * Passes on a stream of events until the stream or its reader ends, and records each time that the reader
   * asks for more.
   * @param leave called at the end
   */
  async *#watched(
    reader: EventReader,
    feed: AsyncGenerator<Uint8Array>,
    leave: () => void,
  ): AsyncGenerator<Uint8Array> {
    try {
      for await (const bytes of feed) {
        if (reader.endSignal.aborted) return;
        if (bytes.length > 0) yield bytes;
        reader.noteActivity();
      }
    } catch (error) {
      this.options.logger.error("events could not be read", {}, error);
    } finally {
      leave();
    }
  }
}

function ownerOf({ name }: Caller): string {
  return name ?? "";
}

/** Formats rows as events, joined into small pieces, as each slow reader keeps one piece in memory. */
function* eventsOf<Row>(
  rows: readonly Row[],
  eventOf: (row: Row) => string,
): Generator<Uint8Array> {
  let text = "";
  for (const row of rows) {
    text += eventOf(row);
    if (text.length < PIECE_BYTES) continue;
    yield encoder.encode(text);
    text = "";
  }
  yield encoder.encode(text);
}

function isId(lastEventId: string | null): lastEventId is string {
  return lastEventId !== null && /^\d{1,15}$/.test(lastEventId);
}
