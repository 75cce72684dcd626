import { hasEnded } from "../api/has-ended.ts";
import type { ClientRecord, DownloadRecord } from "../api/schemas.ts";
import { isRunning } from "./status.ts";

/** How long a download stays in its place after it ran, in ms, so that its result can be seen. */
const LINGER_MS = 60_000;

/** Most downloads that stay so, as small files come by the hundred. */
const MAX_LINGERING = 10;

/** A site and its activity. */
export interface Site {
  client: ClientRecord;
  /** Being received or verified, oldest first. */
  active: DownloadRecord[];
  /** Number of waiting downloads. */
  queued: number;
}

/** Filter for running downloads. */
export interface RunningOf {
  clientId?: string;
  jobId?: string;
}

/** Sorts by name, and numbers in names by value. */
const byName = new Intl.Collator("en", { numeric: true });

/** The present activity: all sites, all unfinished downloads, and those that just ended. */
export class Board {
  readonly #clients = new Map<string, ClientRecord>();
  readonly #open = new Map<string, DownloadRecord>();
  /** Downloads that just ended, and since when, ms since 1970; latest last. */
  readonly #lingering = new Map<string, { download: DownloadRecord; since: number }>();

  /** Drops the running downloads, as the server is about to send them again. */
  clearDownloads(): void {
    this.#open.clear();
  }

  setClient(client: ClientRecord): void {
    this.#clients.set(client.client_id, client);
  }

  /** @param now ms since 1970 */
  setDownload(download: DownloadRecord, now: number): void {
    const id = download.download_id;
    const before = this.#open.get(id);
    if (hasEnded(download)) this.#open.delete(id);
    else this.#open.set(id, download);
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

  /** Total bytes per second. */
  get bytesPerSecond(): number {
    let sum = 0;
    for (const { status, bytes_per_second } of this.#open.values()) {
      if (status === "downloading") sum += bytes_per_second ?? 0;
    }
    return sum;
  }

  /** Number of running and of waiting downloads. */
  get underWay(): { active: number; queued: number } {
    let queued = 0;
    for (const { status } of this.#open.values()) if (status === "queued") queued++;
    return { active: this.#open.size - queued, queued };
  }

  /** Number of sites, and of those that are not connected. */
  get siteCounts(): { all: number; offline: number } {
    let offline = 0;
    for (const { connected } of this.#clients.values()) if (!connected) offline++;
    return { all: this.#clients.size, offline };
  }

  /**
   * Downloads that run or just ended, newest first.
   * @param of only this site and this job; undefined: any
   * @param now ms since 1970
   */
  running({ clientId, jobId }: RunningOf, now: number): DownloadRecord[] {
    for (const [id, { since }] of this.#lingering) {
      if (now - since > LINGER_MS) this.#lingering.delete(id);
    }
    const lingering = [...this.#lingering.values()].map(({ download }) => download);
    return [...this.#open.values().filter(isRunning), ...lingering]
      .filter(({ client_id }) => clientId === undefined || client_id === clientId)
      .filter(({ job_id }) => jobId === undefined || job_id === jobId)
      .toSorted((a, b) => (a.download_id < b.download_id ? 1 : -1));
  }

  /** All sites: those with a problem first, then connected ones, each group sorted by name. */
  sites(): Site[] {
    const sites = [...this.#clients.values()].map((client): Site => ({
      client,
      active: [],
      queued: 0,
    }));
    const byId = new Map(sites.map((site) => [site.client.client_id, site]));
    for (const download of this.#open.values()) {
      const site = byId.get(download.client_id);
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
