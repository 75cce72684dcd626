import type { Logger } from "../../util/logger.ts";
import { formatStart } from "../../util/server-sent-events.ts";
import { type Caller, sees } from "../access/caller.ts";
import type { OpenCalls } from "../access/open-calls.ts";
import type { Clients } from "../clients/clients.ts";
import type { Repository } from "../database/repository.ts";
import { type Download, hasEnded } from "../download.ts";
import { EventReader } from "./event-reader.ts";
import { eventResponse } from "./event-response.ts";
import { type Events, subjectOf } from "./events.ts";

/** A reader that lost its connection comes back after this time, in ms. */
const RETRY_MS = 1_000;
/** Rows read at a time, and only as fast as the reader takes them. */
const PAGE = 200;

const UNENDED = ["queued", "downloading", "verifying"] as const;

export interface EventFeedsOptions {
  repository: Pick<Repository, "changedSince" | "countActive" | "getDownload" | "listDownloads">;
  clients: Pick<Clients, "list">;
  events: Events;
  openCalls: OpenCalls;
  logger: Logger;
}

/** What readers of events are sent: how things are, then what happens. */
export class EventFeeds {
  constructor(private readonly options: EventFeedsOptions) {}

  /**
   * All clients, and all downloads that have not ended; then each change; of what the caller sees.
   * @param lastEventId of a reader that comes back: it is also sent what ended meanwhile; what
   *   cannot be an id counts as none
   */
  all(caller: Caller, lastEventId: string | null): Response {
    const reader = new EventReader(null, caller.sites);
    return this.#respond(reader, caller, this.#all(reader, caller, lastEventId));
  }

  /**
   * One download that the caller sees, until it has ended.
   * @param lastEventId of a reader that comes back: one that was told of the end is sent away, or
   *   it would come again and again
   */
  of(download: Download, caller: Caller, lastEventId: string | null): Response {
    if (hasEnded(download) && lastEventId === String(download.revision)) {
      return new Response(null, { status: 204 });
    }
    const reader = new EventReader(subjectOf(download));
    return this.#respond(reader, caller, this.#one(reader, download.downloadId));
  }

  async *#all(
    reader: EventReader,
    caller: Caller,
    lastEventId: string | null,
  ): AsyncGenerator<string> {
    const { events } = this.options;
    const now = await events.join(reader);
    const since = isId(lastEventId) ? Math.min(Number(lastEventId), now) : now;
    yield formatStart(RETRY_MS, since);
    yield* this.#endedBetween(since, now, caller);
    yield this.#knownClients(reader, now, caller);
    for (const status of UNENDED) yield* this.#downloadsOf(status, reader, now, caller);
    yield* reader.news();
  }

  /** By revision, so that a reader that is lost amidst of it goes on from there. */
  async *#endedBetween(since: number, now: number, caller: Caller): AsyncGenerator<string> {
    const { repository, events } = this.options;
    for (let at = since; at < now;) {
      const rows = await repository.changedSince(at, PAGE);
      const owed = rows.filter(
        (row) => hasEnded(row) && row.revision <= now && sees(caller, row.clientId),
      );
      yield owed.map((row) => events.downloadEvent(row, row.revision)).join("");
      at = rows.at(-1)?.revision ?? now;
    }
  }

  #knownClients(reader: EventReader, id: number, caller: Caller): Promise<string> {
    const { repository, clients, events } = this.options;
    return events.inTurn(async () => {
      const earlier = reader.take();
      const active = await repository.countActive();
      const known = (await clients.list()).filter(({ clientId }) => sees(caller, clientId));
      return earlier + known.map((client) => events.clientEvent(client, active, id)).join("");
    });
  }

  async *#downloadsOf(
    status: Download["status"],
    reader: EventReader,
    id: number,
    { sites }: Caller,
  ): AsyncGenerator<string> {
    const { repository, events } = this.options;
    for (let before: string | undefined, isMore = true; isMore;) {
      const { earlier, rows } = await events.inTurn(async () => ({
        // What waits for the reader is older than what is read now.
        earlier: reader.take(),
        rows: await repository.listDownloads({ status, sites, before, limit: PAGE }),
      }));
      yield earlier + rows.map((row) => events.downloadEvent(row, id)).join("");
      before = rows.at(-1)?.downloadId;
      isMore = rows.length === PAGE;
    }
  }

  async *#one(reader: EventReader, downloadId: string): AsyncGenerator<string> {
    const { repository, events } = this.options;
    await events.join(reader);
    const download = await events.inTurn(async () => {
      reader.take();
      return repository.getDownload(downloadId);
    });
    if (!download) return;
    const { revision } = download;
    yield formatStart(RETRY_MS, revision) + events.downloadEvent(download, revision);
    if (!hasEnded(download)) yield* reader.news();
  }

  #respond(reader: EventReader, caller: Caller, feed: AsyncGenerator<string>): Response {
    const { events, openCalls } = this.options;
    const ending = new AbortController();
    const release = openCalls.add(caller, () => {
      ending.abort();
      events.leave(reader);
    });
    const leave = () => {
      release();
      events.leave(reader);
    };
    return eventResponse(this.#watched(reader, feed, leave, ending.signal), leave);
  }

  /** The feed, of which the reader is known to ask for more, until one of the two ends. */
  async *#watched(
    reader: EventReader,
    feed: AsyncGenerator<string>,
    leave: () => void,
    ending: AbortSignal,
  ): AsyncGenerator<string> {
    try {
      for await (const text of feed) {
        if (ending.aborted) return;
        if (text !== "") yield text;
        reader.asks();
      }
    } catch (error) {
      this.options.logger.error("events could not be read", {}, error);
    } finally {
      leave();
    }
  }
}

function isId(lastEventId: string | null): lastEventId is string {
  return lastEventId !== null && /^\d{1,15}$/.test(lastEventId);
}
