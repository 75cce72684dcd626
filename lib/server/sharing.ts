import type { Logger } from "../util/logger.ts";
import { isGood } from "./access/is-good.ts";
import type { OpenCalls } from "./access/open-calls.ts";
import type { ServerRows } from "./servers/rows.ts";
import type { Engine } from "./engine.ts";
import { Hints, type HintKind } from "./servers/hints.ts";
import { Lease } from "./servers/lease.ts";
import { Presence } from "./servers/presence.ts";

export interface SharingOptions {
  engine: Engine;
  openCalls: OpenCalls;
  serverId: string;
  logger: Logger;
}

/**
 * The work of a server as one of several. It keeps its lease, tells the other servers what it changes, and
 * handles their changes. It also checks for changes from time to time, as messages between servers may be
 * lost.
 */
export class Sharing {
  readonly #lease: Lease;
  readonly #hints: Hints;
  readonly #presence: Presence;
  /**
   * Ids of the jobs that were open at the last check. Readers of events are told once more of each one that
   * has ended since.
   */
  #openJobs: string[] = [];

  private constructor(
    private readonly options: SharingOptions,
    private readonly rows: ServerRows,
    storage: string,
  ) {
    const { engine, serverId, logger } = options;
    this.#presence = new Presence(rows);
    this.#lease = new Lease({
      rows,
      serverId,
      storage,
      onLost: async () => engine.clients.endAll(),
      onCheck: (hasServerEnded) => this.#check(hasServerEnded),
      logger,
    });
    this.#hints = new Hints({
      rows,
      onHint: (kind, id) => this.#inBackground(() => this.#handleHint(kind, id)),
      onAnythingChanged: () => this.#inBackground(() => this.#check(false)),
      logger,
    });
  }

  /**
   * Begins to work as one of several servers. Must be called before any downloads are recovered.
   * @returns null: the database serves only one server
   * @throws Error when another server uses the same database with another storage
   */
  static async begin(options: SharingOptions): Promise<Sharing | null> {
    const { repository, storage } = options.engine;
    if (!repository.servers) return null;
    const sharing = new Sharing(options, repository.servers, await storage.identity());
    await sharing.#lease.begin();
    return sharing;
  }

  /** Starts to send and receive hints. Called when the server has begun to listen for clients. */
  start(): void {
    const { engine, openCalls } = this.options;
    const { asked, client, download, job } = engine.changes;
    asked.subscribe((clientId) => this.#hints.send("asked", clientId));
    client.subscribe((clientId) => this.#hints.send("client", clientId));
    job.subscribe(({ jobId }) => this.#hints.send("job", jobId));
    download.subscribe((one) => {
      if (one?.status === "queued") this.#hints.send("queue", one.clientId);
      else this.#hints.send("download", one?.downloadId ?? "some");
    });
    openCalls.ended.subscribe(() => this.#hints.send("callers", "all"));
    this.#lease.start();
    void this.#hints.start();
  }

  /** Stops sharing: ends the lease, so that other servers take over the work. */
  async stop(): Promise<void> {
    await this.#hints.stop();
    await this.#lease.end();
  }

  async #handleHint(kind: HintKind, id: string): Promise<void> {
    const { browsing, clients, downloads, events, jobEvents } = this.options.engine;
    switch (kind) {
      case "queue":
        downloads.waitingFor(id);
        return events.downloadChanged();
      case "download":
        events.downloadChanged();
        return downloads.checkOne(id);
      case "client":
        events.clientChanged(id);
        return clients.held.checkOne(id);
      case "job":
        downloads.wake();
        return jobEvents.tell({ jobId: id });
      case "callers":
        return this.#checkCallers();
      case "asked":
        if (clients.sessionOf(id)) await browsing.answerAll();
    }
  }

  async #check(hasServerEnded: boolean): Promise<void> {
    const { browsing, clients, downloads, jobs, schedules, retention, events } =
      this.options.engine;
    const { held, isAsked, revision } = await this.rows.news();
    await clients.held.check(held);
    if (isAsked) await browsing.answerAll();
    await downloads.check(hasServerEnded, revision);
    if (hasServerEnded) await jobs.takeUp();
    if (hasServerEnded) schedules.takeUp();
    if (hasServerEnded) retention.wake();
    await this.#checkCallers();
    if (events.readerCount > 0) await this.#reportChanges();
  }

  /** Tells readers of events what changed at other servers. */
  async #reportChanges(): Promise<void> {
    const { events, jobEvents, repository } = this.options.engine;
    events.downloadChanged();
    for (const clientId of await this.#presence.changed()) events.clientChanged(clientId);
    const open = (await repository.jobs.open()).map(({ jobId }) => jobId);
    for (const jobId of new Set([...open, ...this.#openJobs])) jobEvents.tell({ jobId });
    this.#openJobs = open;
  }

  #checkCallers(): Promise<void> {
    const { engine, openCalls } = this.options;
    return openCalls.check((caller) => isGood(caller, engine.repository.access));
  }

  #inBackground(work: () => Promise<void>): void {
    work().catch((error: unknown) =>
      this.options.logger.error("what another server told could not be looked at", {}, error),
    );
  }
}
