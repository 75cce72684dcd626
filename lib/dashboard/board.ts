import { hasEnded } from "../api/has-ended.ts";
import type { ClientRecord, DownloadRecord } from "../api/schemas.ts";
import { isRunning } from "./status.ts";

/** How long a download that ran stays in its place, in ms: what became of it is to be seen. */
const LINGER_MS = 60_000;

/** Most downloads that linger: small files come by the hundred. */
const MAX_LINGERING = 10;

/** A site, and what it is doing. */
export interface Site {
  client: ClientRecord;
  /** Being received or verified, oldest first. */
  active: DownloadRecord[];
  /** How many downloads wait. */
  queued: number;
}

/** Which downloads are meant. */
export interface RunningOf {
  clientId?: string;
  jobId?: string;
}

/** By name, and by number where a name has one. */
const byName = new Intl.Collator("en", { numeric: true });

/** What is going on: every site, every download that has not ended, and what just ran. */
export class Board {
  readonly #clients = new Map<string, ClientRecord>();
  readonly #open = new Map<string, DownloadRecord>();
  /** Those that ran and run no more, and since when, ms since 1970; the latest is the last. */
  readonly #lingering = new Map<string, { download: DownloadRecord; since: number }>();

  /** Forgets the running downloads: the server is about to tell of those that still run. */
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

  /** Bytes per second of all downloads together. */
  get bytesPerSecond(): number {
    let sum = 0;
    for (const { status, bytes_per_second } of this.#open.values()) {
      if (status === "downloading") sum += bytes_per_second ?? 0;
    }
    return sum;
  }

  /** How many downloads are under way, and how many wait. */
  get underWay(): { active: number; queued: number } {
    let queued = 0;
    for (const { status } of this.#open.values()) if (status === "queued") queued++;
    return { active: this.#open.size - queued, queued };
  }

  /** How many sites there are, and how many of them are not connected. */
  get siteCounts(): { all: number; offline: number } {
    let offline = 0;
    for (const { connected } of this.#clients.values()) if (!connected) offline++;
    return { all: this.#clients.size, offline };
  }

  /**
   * What runs, and what ran until a moment ago, newest first.
   * @param of the only site, and the only job, whose downloads are meant; undefined: any
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

  /** Every site: those with a problem first, then those online, each group by name. */
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
