import type { DownloadList, DownloadRecord, DownloadStatus } from "../api/schemas.ts";
import type { ListQuery } from "./api.ts";

/** Rows on a page. */
export const PAGE_SIZE = 50;

/** Filter of the list; undefined fields match anything. */
export interface Filter {
  status?: DownloadStatus;
  clientId?: string;
  jobId?: string;
  /** Only downloads that failed and were not retried. */
  open?: true;
  downloadId?: string;
}

/** Whether two filters are equal. */
export function areSame(one: Filter, other: Filter): boolean {
  return (["status", "clientId", "jobId", "open", "downloadId"] as const).every(
    (field) => one[field] === other[field],
  );
}

/**
 * One page of the list of downloads, newest first, kept up to date by events. It holds only this page,
 * however many downloads there are.
 */
export class Listing {
  #filter: Filter;
  #rows: DownloadRecord[] = [];
  /** Cursors of this page and those before it; the first page needs none. */
  #trail: string[] = [];
  #nextCursor: string | null = null;
  /** Number of the latest request; earlier answers are ignored. */
  #load = 0;
  #isLoading = false;
  #hasLoaded = false;
  /** Changes that came while a page was requested, as the answer may not contain them. */
  readonly #meanwhile = new Map<string, DownloadRecord>();

  /** @param fetchPage asks the server */
  constructor(
    private readonly fetchPage: (query: ListQuery) => Promise<DownloadList>,
    filter: Filter = {},
  ) {
    this.#filter = filter;
  }

  get rows(): readonly DownloadRecord[] {
    return this.#rows;
  }

  /** False until the first answer. */
  get isLoaded(): boolean {
    return this.#hasLoaded;
  }

  get filter(): Filter {
    return this.#filter;
  }

  /** 1 for the newest page. */
  get pageNumber(): number {
    return this.#trail.length + 1;
  }

  get hasOlder(): boolean {
    return this.#nextCursor !== null;
  }

  /** Loads the newest downloads that match a filter. */
  async setFilter(filter: Filter): Promise<void> {
    this.#filter = filter;
    await this.newest();
  }

  /** Loads this page again. */
  async reload(): Promise<void> {
    await this.#show(this.#trail);
  }

  /** Goes to the next page of older downloads. */
  async older(): Promise<void> {
    // The first page moves as downloads are added, so the next one has to be determined anew.
    if (this.#trail.length === 0) await this.reload();
    if (this.#nextCursor !== null) await this.#show([...this.#trail, this.#nextCursor]);
  }

  async newest(): Promise<void> {
    await this.#show([]);
  }

  async newer(): Promise<void> {
    await this.#show(this.#trail.slice(0, -1));
  }

  /** Updates a download. @returns false if that left a gap at the end of the page, which a reload fills */
  update(download: DownloadRecord): boolean {
    if (this.#isLoading) this.#meanwhile.set(download.download_id, download);
    const index = this.#rows.findIndex((row) => row.download_id === download.download_id);
    if (!this.#matches(download)) {
      if (index >= 0) this.#rows.splice(index, 1);
      return index < 0 || !this.hasOlder;
    }
    if (index >= 0) this.#rows[index] = download;
    else if (this.#trail.length === 0) this.#insert(download);
    return true;
  }

  #insert(download: DownloadRecord): void {
    // Ids sort by time.
    const at = this.#rows.findIndex((row) => row.download_id < download.download_id);
    if (at < 0 && this.hasOlder) return;
    this.#rows.splice(at < 0 ? this.#rows.length : at, 0, download);
    const [dropped] = this.#rows.splice(PAGE_SIZE);
    // Any cursor will do, as older() starts again from the first page.
    if (dropped) this.#nextCursor ??= dropped.download_id;
  }

  #matches(download: DownloadRecord): boolean {
    const { status, clientId, jobId, open, downloadId } = this.#filter;
    return (
      (status === undefined || download.status === status) &&
      (clientId === undefined || download.client_id === clientId) &&
      (jobId === undefined || download.job_id === jobId) &&
      (open === undefined || (download.status === "failed" && download.retried_as === null)) &&
      (downloadId === undefined || download.download_id === downloadId)
    );
  }

  async #show(trail: string[]): Promise<void> {
    const load = ++this.#load;
    const { status, clientId, jobId, open, downloadId } = this.#filter;
    const cursor = trail.at(-1);
    this.#meanwhile.clear();
    this.#isLoading = true;
    try {
      const page = await this.fetchPage({
        limit: PAGE_SIZE,
        ...(status && { status }),
        ...(clientId !== undefined && { client_id: clientId }),
        ...(jobId !== undefined && { job_id: jobId }),
        ...(open && { open: "true" }),
        ...(downloadId !== undefined && { download_id: downloadId }),
        ...(cursor !== undefined && { cursor }),
      });
      if (load !== this.#load) return;
      this.#rows = page.downloads;
      this.#nextCursor = page.next_cursor;
      this.#trail = trail;
      this.#hasLoaded = true;
    } finally {
      if (load === this.#load) this.#isLoading = false;
    }
    for (const download of this.#meanwhile.values()) this.update(download);
  }
}
