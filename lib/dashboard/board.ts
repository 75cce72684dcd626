import { hasEnded } from "../api/has-ended.ts";
import type { ClientRecord, DownloadRecord } from "../api/schemas.ts";
import { isRunning } from "./status.ts";

/**
 * How long a download stays pinned above the list after it has stopped running, in ms, so that people see
 * whether it has ended or waits for another attempt.
 */
const LINGER_MS = 60_000;

/** Highest number of downloads that stay pinned above the list after they have stopped running. */
const MAX_LINGERING = 10;

/** A site with its present downloads. */
export interface Site {
  client: ClientRecord;
  /**
   * Downloads of the site that are being received or verified, in the order in which the page learnt of
   * them.
   */
  active: DownloadRecord[];
  /** Number of the site's downloads that wait in the queue. */
  queued: number;
}

/** Filter for running downloads: those of one client, of one job, or all. */
export interface RunningFilter {
  clientId?: string;
  jobId?: string;
}

/** Sorts names, and compares numbers in them by value, so that till-2 comes before till-10. */
const byName = new Intl.Collator("en", { numeric: true });

/**
 * The state that events keep up to date: all sites, all unfinished downloads, and downloads that ran until a
 * moment ago.
 */
export class Board {
  readonly #clients = new Map<string, ClientRecord>();
  readonly #unfinished = new Map<string, DownloadRecord>();
  /**
   * Downloads that ran until a moment ago, by id, with the time at which they stopped running, in ms since
   * 1970. The latest is last.
   */
  readonly #lingering = new Map<string, { download: DownloadRecord; since: number }>();

  /**
   * Forgets all unfinished downloads. Called on each new connection, on which the server sends them all
   * again.
   */
  clearDownloads(): void {
    this.#unfinished.clear();
  }

  setClient(client: ClientRecord): void {
    this.#clients.set(client.client_id, client);
  }

  /** Stores the state of a new or changed download. @param now ms since 1970 */
  setDownload(download: DownloadRecord, now: number): void {
    const id = download.download_id;
    const before = this.#unfinished.get(id);
    if (hasEnded(download)) this.#unfinished.delete(id);
    else this.#unfinished.set(id, download);
    if (isRunning(download)) this.#lingering.delete(id);
    else if (before && isRunning(before)) this.#linger(download, now);
    else {
      const lingering = this.#lingering.get(id);
      if (lingering) lingering.download = download;
    }
  }

  isOnline(clientId: string): boolean {
    return this.#clients.get(clientId)?.connected === true;
  }

  /** The sum of the rates of all downloads now, in bytes per second. */
  get bytesPerSecond(): number {
    let sum = 0;
    for (const { status, bytes_per_second } of this.#unfinished.values()) {
      if (status === "downloading") sum += bytes_per_second ?? 0;
    }
    return sum;
  }

  /** The number of downloads that are being received or verified, and the number that wait in the queue. */
  get downloadCounts(): { active: number; queued: number } {
    let queued = 0;
    for (const { status } of this.#unfinished.values()) if (status === "queued") queued++;
    return { active: this.#unfinished.size - queued, queued };
  }

  /** The number of all sites, and of sites that are not connected. */
  get siteCounts(): { all: number; offline: number } {
    let offline = 0;
    for (const { connected } of this.#clients.values()) if (!connected) offline++;
    return { all: this.#clients.size, offline };
  }

  /**
   * Returns the downloads that run or ran until a moment ago, newest first.
   * @param clientId only downloads of this client; undefined for any
   * @param jobId only downloads of this job; undefined for any
   * @param now ms since 1970
   */
  running({ clientId, jobId }: RunningFilter, now: number): DownloadRecord[] {
    for (const [id, { since }] of this.#lingering) {
      if (now - since > LINGER_MS) this.#lingering.delete(id);
    }
    const lingering = [...this.#lingering.values()].map(({ download }) => download);
    return [...this.#unfinished.values().filter(isRunning), ...lingering]
      .filter(({ client_id }) => clientId === undefined || client_id === clientId)
      .filter(({ job_id }) => jobId === undefined || job_id === jobId)
      .toSorted((a, b) => (a.download_id < b.download_id ? 1 : -1));
  }

  /**
   * Returns all sites: first those that report a problem, then connected ones, then the others, each sorted
   * by name.
   */
  sites(): Site[] {
    const sites = [...this.#clients.values()].map((client): Site => ({
      client,
      active: [],
      queued: 0,
    }));
    const sitesById = new Map(sites.map((site) => [site.client.client_id, site]));
    for (const download of this.#unfinished.values()) {
      const site = sitesById.get(download.client_id);
      if (download.status !== "queued") site?.active.push(download);
      else if (site) site.queued++;
    }
    return sites.toSorted(
      (a, b) =>
        Number(b.client.problem !== null) - Number(a.client.problem !== null) ||
        Number(b.client.connected) - Number(a.client.connected) ||
        byName.compare(a.client.client_id, b.client.client_id),
    );
  }

  #linger(download: DownloadRecord, since: number): void {
    this.#lingering.set(download.download_id, { download, since });
    const [oldest] = this.#lingering.keys();
    if (this.#lingering.size > MAX_LINGERING && oldest) this.#lingering.delete(oldest);
  }
}
