import type { Labels } from "../../api/labels.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { nextRound, pauses } from "../../util/fair-turns.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Logger } from "../../util/logger.ts";
import { formatEvent } from "../../util/server-sent-events.ts";
import type { Sites } from "../access/sites.ts";
import type { Clients } from "../clients/clients.ts";
import type { KnownClient } from "../clients/known-clients.ts";
import type { Repository } from "../database/repository.ts";
import { type Download, hasEnded } from "../download.ts";
import type { Announcement, EventReader } from "./event-reader.ts";
import type { Progress } from "../transfer/incoming-stream.ts";
import { clientRecord, downloadRecord } from "../records/records.ts";

/** Time between two reports of the progress of running downloads, in ms. */
const PROGRESS_EVERY_MS = 200;
/** Time between two comments that keep the connection of a reader alive, in ms. */
const COMMENT_MS = 15_000;
/** Changed downloads that are read by one query. */
const PAGE = 50;
/** Readers that are woken in one round of the event loop. Waking one takes about 20 µs. */
const WOKEN_AT_ONCE = 50;

const encoder = new TextEncoder();

export interface EventsOptions {
  repository: Pick<
    Repository,
    "activeDownloads" | "changedSince" | "countActive" | "labelsOf" | "latestRevision"
  >;
  clients: Pick<Clients, "get">;
  /** Returns the progress of a running download, which may be newer than its row. */
  progressOf: (download: Download) => Progress | undefined;
  logger: Logger;
}

/** Makes the data of an event for all readers that may see the same clients and use the same token. */
export type DataFor = (access: {
  sites: Sites | null;
  tokenHash: string | null;
}) => Promise<unknown>;

/**
 * Reports changes to the readers of events. Whoever changes something gives a hint. Then the changed rows are
 * read, and formatted once for all readers. The id of an event is the revision up to which every change has
 * been reported. While nobody reads, nothing is done.
 */
export class Events {
  readonly #readers = new Set<EventReader>();
  /** Revision up to which all changes of downloads have been reported. */
  #reportedRevision = 0;
  /** The running downloads, each with its record as last reported. */
  readonly #running = new Map<string, { download: Download; record: DownloadRecord }>();
  /** Ids of the clients whose changes are to be reported. */
  readonly #clients = new Set<string>();
  readonly #turns = new SerialQueue();
  #tellingIsDue = false;
  #progressIsDue = false;
  #timers: Timer[] = [];

  constructor(private readonly options: EventsOptions) {}

  /** The number of readers. */
  get readerCount(): number {
    return this.#readers.size;
  }

  /** Handles the hint that a download is new or its status changed. */
  downloadChanged(): void {
    this.#tellSoon();
  }

  /** Handles the hint that a client connected, left or changed. */
  clientChanged(clientId: string): void {
    this.#clients.add(clientId);
    this.#tellSoon();
  }

  /**
   * Adds a reader. Every later change is sent to the reader.
   * @returns the revision of the last change before the reader joined; this change is not sent
   */
  join(reader: EventReader): Promise<number> {
    return this.inTurn(async () => {
      if (this.#readers.size > 0) await this.#tellChanges();
      else await this.#begin();
      // The reader may have left while it waited for its turn.
      if (!reader.hasEnded) this.#add(reader);
      return this.#reportedRevision;
    });
  }

  /** Removes a reader that has left or needs no more events. */
  leave(reader: EventReader): void {
    reader.end();
    this.#readers.delete(reader);
    if (this.#readers.size === 0) for (const timer of this.#timers.splice(0)) clearInterval(timer);
  }

  /** Ends all readers. A reader that connects again with the id of its last event misses nothing. */
  close(): void {
    for (const reader of [...this.#readers]) this.leave(reader);
  }

  /**
   * Runs work that reads rows and reports them. Only one such work runs at a time, so that no reader gets an
   * old state after a newer one.
   */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run(work);
  }

  /**
   * Reports something other than a download or a client to the readers of its subject.
   * @param dataFor makes the data for all readers with the same access; if it returns null, they get no event
   */
  async tell(event: string, subject: string, dataFor: DataFor): Promise<void> {
    if (this.#readers.size === 0) return;
    await this.inTurn(async () => {
      const bytesByAccess = new Map<string, Uint8Array | null>();
      for (const reader of this.#readers) {
        if (!reader.isSubscribedTo(subject)) continue;
        const accessKey = reader.accessKey;
        let bytes = bytesByAccess.get(accessKey);
        if (bytes === undefined) {
          const data = await dataFor(reader);
          bytes =
            data === null ? null : encoder.encode(formatEvent(event, data, this.#reportedRevision));
          bytesByAccess.set(accessKey, bytes);
        }
        if (bytes) reader.offer({ subject, clientId: null, bytes, final: false });
      }
      await this.#wakeReaders();
    });
  }

  /** Formats a download as an event. @param id id of the event */
  downloadEvent(download: Download, id: number): string {
    return formatEvent("download", this.#recordOf(download), id);
  }

  /**
   * Formats a client as an event.
   * @param active number of running downloads of each client; the key is the client's id
   * @param id id of the event
   */
  clientEvent(client: KnownClient, active: Map<string, number>, id: number): string {
    return formatEvent("client", clientRecord(client, active.get(client.clientId) ?? 0), id);
  }

  /** Reads the present revision and the running downloads, for the first reader. */
  async #begin(): Promise<void> {
    const { repository } = this.options;
    this.#reportedRevision = await repository.latestRevision();
    this.#running.clear();
    for (const download of await repository.activeDownloads()) {
      if (download.status !== "downloading") continue;
      this.#running.set(download.downloadId, { download, record: this.#recordOf(download) });
    }
  }

  #add(reader: EventReader): void {
    if (this.#readers.size === 0) {
      this.#timers = [
        setInterval(() => this.#reportProgressSoon(), PROGRESS_EVERY_MS),
        setInterval(() => this.#keepReadersAlive(), COMMENT_MS),
      ];
    }
    this.#readers.add(reader);
  }

  #reportProgressSoon(): void {
    if (this.#running.size === 0) return;
    this.#progressIsDue = true;
    this.#tellSoon();
  }

  #keepReadersAlive(): void {
    for (const reader of this.#readers) reader.keepAlive();
    this.#tellSoon();
  }

  #tellSoon(): void {
    if (this.#tellingIsDue) return;
    this.#tellingIsDue = true;
    this.inTurn(() => this.#tell()).catch((error: unknown) => {
      this.options.logger.error("events could not be read", {}, error);
      this.close();
    });
  }

  async #tell(): Promise<void> {
    this.#tellingIsDue = false;
    if (this.#readers.size === 0) return this.#clients.clear();
    await this.#tellChanges();
    if (this.#progressIsDue) await this.#tellProgress();
    this.#progressIsDue = false;
    await this.#wakeReaders();
  }

  async #tellChanges(): Promise<void> {
    const pause = pauses();
    for (let isMore = true; isMore;) {
      const rows = await this.options.repository.changedSince(this.#reportedRevision, PAGE);
      for (const row of rows) {
        await this.#tellChange(row);
        await pause();
      }
      isMore = rows.length === PAGE;
    }
    await this.#tellClients();
  }

  async #tellChange(download: Download): Promise<void> {
    const { downloadId, clientId, epoch, status } = download;
    this.#reportedRevision = download.revision;
    const known = this.#running.get(downloadId);
    if (status === "downloading" && known?.download.epoch === epoch) {
      // Only the size or the durable offset of the download changed. No event is sent, as progress is
      // reported periodically.
      known.download = download;
      return;
    }
    const record = this.#recordOf(download);
    if (status === "downloading") this.#running.set(downloadId, { download, record });
    else this.#running.delete(downloadId);
    await this.#announceDownload(download, record);
    this.#clients.add(clientId);
  }

  async #tellProgress(): Promise<void> {
    const pause = pauses();
    for (const running of this.#running.values()) {
      await pause();
      const record = this.#recordOf(running.download);
      if (Bun.deepEquals(record, running.record)) continue;
      running.record = record;
      await this.#announceDownload(running.download, record);
    }
  }

  async #tellClients(): Promise<void> {
    const { repository, clients } = this.options;
    const changed = [...this.#clients];
    this.#clients.clear();
    if (changed.length === 0) return;
    const active = await repository.countActive();
    const pause = pauses();
    for (const clientId of changed) {
      await pause();
      const client = await clients.get(clientId);
      if (!client) continue;
      const bytes = encoder.encode(this.clientEvent(client, active, this.#reportedRevision));
      const { labels } = client;
      this.#announce({ subject: `client/${clientId}`, clientId, labels, bytes, final: false });
    }
  }

  async #announceDownload(download: Download, record: DownloadRecord): Promise<void> {
    const labels = await this.#labelsOf(download.clientId);
    const bytes = encoder.encode(formatEvent("download", record, this.#reportedRevision));
    const { clientId } = download;
    const final = hasEnded(download);
    this.#announce({ subject: subjectOf(download), clientId, labels, bytes, final });
  }

  /**
   * Returns a client's labels if the access of any reader depends on labels, else no labels. They are read
   * for each event, as they may change at any time.
   */
  async #labelsOf(clientId: string): Promise<Labels> {
    const needsLabels = [...this.#readers].some((reader) => reader.needsLabels);
    return needsLabels ? this.options.repository.labelsOf(clientId) : {};
  }

  #announce(announcement: Announcement): void {
    for (const reader of this.#readers) reader.offer(announcement);
  }

  /** Wakes the readers in groups, so that other work can run in between. */
  async #wakeReaders(): Promise<void> {
    let woken = 0;
    for (const reader of this.#readers) {
      reader.wake();
      if (++woken % WOKEN_AT_ONCE === 0) await nextRound();
    }
  }

  #recordOf(download: Download): DownloadRecord {
    return downloadRecord(download, this.options.progressOf(download));
  }
}

/** The subject of the events about a download. */
export function subjectOf(download: Download): string {
  return `download/${download.downloadId}`;
}
