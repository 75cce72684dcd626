import { afterEach, beforeEach, expect, jest } from "bun:test";
import { areOf } from "../../../lib/server/access/sites.ts";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KnownClient } from "../../../lib/server/clients/known-clients.ts";
import type { ClientFilter, Repository } from "../../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import type { Download, Queued } from "../../../lib/server/download.ts";
import { LOCAL_ADMIN } from "../../../lib/server/access/caller.ts";
import { OpenCalls } from "../../../lib/server/access/open-calls.ts";
import { EventFeeds } from "../../../lib/server/events/event-feeds.ts";
import { Events } from "../../../lib/server/events/events.ts";
import type { Progress } from "../../../lib/server/transfer/incoming-stream.ts";
import { FairTurns, nextRound } from "../../../lib/util/fair-turns.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { Listener, type Told } from "../../support/events.ts";
import { client, queued } from "../database/samples.ts";

/* Event streams on a fake clock. Nothing is sent until a test gives a hint or advances the clock. */

export let folder: string;
export let rows: Repository;
/** Names of the repository's methods, in the order in which the events called them. */
export let calls: string[];
/** State that tests may change: the known clients, and an error that every call of the repository throws. */
export const world: { known: KnownClient[]; fault: Error | undefined } = {
  known: [],
  fault: undefined,
};
export let progress: Map<string, Progress>;
export let log: string[];
export let events: Events;
export let feeds: EventFeeds;
export let openCalls: OpenCalls;

/** Creates new events and feeds for each test, on a fake clock. */
export function useEvents(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-events-"));
    rows = await openSqlRepository(`sqlite://${folder}/state.db`);
    jest.useFakeTimers();
    calls = [];
    openCalls = new OpenCalls();
    world.fault = undefined;
    world.known = [{ ...client("site-1"), connected: true }];
    progress = new Map();
    log = [];
    const logger = new Logger({ level: "debug", format: "json", write: (line) => log.push(line) });
    const repository = new Proxy(rows, {
      get(target, name: keyof Repository) {
        calls.push(name);
        if (world.fault) throw world.fault;
        const member = target[name];
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    const clients = {
      list: async ({ after = "", sites }: Omit<ClientFilter, "ids">) =>
        world.known.filter(
          ({ clientId }) => clientId > after && areOf(sites ?? null, clientId, {}),
        ),
      get: async (clientId: string) => world.known.find((one) => one.clientId === clientId) ?? null,
    };
    const progressOf = ({ downloadId }: Download) => progress.get(downloadId);
    events = new Events({ repository, clients, progressOf, logger });
    feeds = new EventFeeds({
      repository,
      clients,
      events,
      openCalls,
      openJobs: async function* () {},
      turns: new FairTurns(),
      logger,
    });
  });
  afterEach(async () => {
    events.close();
    await told();
    expect(jest.getTimerCount(), "timers that are left").toBe(0);
    jest.useRealTimers();
    await rows.close();
    await rm(folder, { recursive: true });
  });
}

/** Resolves when every hint has been reported to the readers. */
export const told = () => events.inTurn(async () => undefined);

/** Advances the clock by `ms` milliseconds, in steps of 50 ms, after each of which the events are sent. */
export async function pass(ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 50) {
    jest.advanceTimersByTime(50);
    await told();
    await nextRound();
  }
}

/** Inserts a new download, and gives the hint about it. */
export async function ask(n: number, fields: Partial<Queued> = {}): Promise<Download> {
  const download = await rows.insertDownload(queued(n, fields));
  events.downloadChanged();
  return download;
}

/** Puts a download into another state, and gives the hint if its status has changed. */
export async function change(before: Download, state: Download): Promise<Download> {
  const { downloadId, clientId, revision } = before;
  const savedPath = "savedPath" in state && { savedPath: `${clientId}/${downloadId}` };
  const after = await rows.replaceDownload({
    ...state,
    downloadId,
    clientId,
    ...savedPath,
    revision,
  });
  if (!after) throw new Error("the row was changed by another");
  if (after.status !== before.status) events.downloadChanged();
  return after;
}

/** Returns the request of a new reader, or of one that reconnects after the event with this id. */
export const asking = (lastEventId: string | null = null) =>
  new Request("http://server/", {
    headers: lastEventId === null ? {} : { "Last-Event-ID": lastEventId },
  });

export const listen = (lastEventId: string | null = null) =>
  new Listener(feeds.all(LOCAL_ADMIN, asking(lastEventId)));

/**
 * Reads the first events of a stream, which show the current state.
 * @returns each event in short, such as "01 queued" or "site-1 true"
 */
export async function snapshot(listener: Listener, count: number): Promise<string[]> {
  const found: Told[] = [];
  while (found.length < count) {
    const next = await listener.next();
    if (!next) throw new Error("the stream ended");
    found.push(next);
  }
  return found.map((one) => {
    if (one.event === "job") return `job ${one.data.status}`;
    return one.event === "download"
      ? `${one.data.download_id.slice(-2)} ${one.data.status}`
      : `${one.data.client_id} ${one.data.connected}`;
  });
}
