import type { ClientRecord, DownloadRecord } from "../api/schemas.ts";

/** A site, and what it is doing. */
export interface Site {
  client: ClientRecord;
  /** Being received or verified, oldest first. */
  active: DownloadRecord[];
  /** How many downloads wait. */
  queued: number;
}

/** By name, and by number where a name has one. */
const byName = new Intl.Collator("en", { numeric: true });

/** True for a status that never changes any more. */
export function hasEnded({ status }: DownloadRecord): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** What is going on: every site, and every download that has not ended. */
export class Board {
  readonly #clients = new Map<string, ClientRecord>();
  readonly #open = new Map<string, DownloadRecord>();

  /** Forgets what was going on: all that still is, is about to be told. */
  clearDownloads(): void {
    this.#open.clear();
  }

  setClient(client: ClientRecord): void {
    this.#clients.set(client.client_id, client);
  }

  setDownload(download: DownloadRecord): void {
    if (hasEnded(download)) this.#open.delete(download.download_id);
    else this.#open.set(download.download_id, download);
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

  /** Every site, those online first, each group by name. */
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
        Number(b.client.connected) - Number(a.client.connected) ||
        byName.compare(a.client.client_id, b.client.client_id),
    );
  }
}
