import type { DownloadList, DownloadRecord, DownloadStatus } from "../api/schemas.ts";
import type { ListQuery } from "./api.ts";

/** Number of downloads on one page of the list. */
export const PAGE_SIZE = 50;

/** Filter of the list of downloads. A field that is not set matches any download. */
export interface Filter {
  status?: DownloadStatus;
  clientId?: string;
  jobId?: string;
  /** If set, only downloads that failed and were not retried match. */
  open?: true;
  downloadId?: string;
}

/** Reports whether two filters are equal. */
export function areSame(one: Filter, other: Filter): boolean {
  return (["status", "clientId", "jobId", "open", "downloadId"] as const).every(
    (field) => one[field] === other[field],
  );
}

/**
 * One page of the list of downloads, newest first, kept up to date by events. Other pages are not in memory,
 * so the list can have any length.
 */
export class Listing {
  #filter: Filter;
  #rows: DownloadRecord[] = [];
  /** Cursors of all pages from the second one to the shown one. Empty while the first page is shown. */
  #cursors: string[] = [];
  #nextCursor: string | null = null;
  /** Number of the latest request. Responses to earlier requests are ignored. */
  #requestNumber = 0;
  #isLoading = false;
  #hasLoaded = false;
  /**
   * Downloads that changed while a page was being loaded. The response may have their state from before the
   * change.
   */
  readonly #changedWhileLoading = new Map<string, DownloadRecord>();

  /** @param fetchPage requests one page of downloads from the server */
  constructor(
    private readonly fetchPage: (query: ListQuery) => Promise<DownloadList>,
    filter: Filter = {},
  ) {
    this.#filter = filter;
  }

  get rows(): readonly DownloadRecord[] {
    return this.#rows;
  }

  /** False until a page was loaded for the first time. */
  get isLoaded(): boolean {
    return this.#hasLoaded;
  }

  get filter(): Filter {
    return this.#filter;
  }

  /** Number of the shown page; 1 is the page with the newest downloads. */
  get pageNumber(): number {
    return this.#cursors.length + 1;
  }

  get hasOlder(): boolean {
    return this.#nextCursor !== null;
  }

  /** Changes the filter, and loads the newest downloads that match it. */
  async setFilter(filter: Filter): Promise<void> {
    this.#filter = filter;
    await this.newest();
  }

  /** Loads the shown page again. */
  async reload(): Promise<void> {
    await this.#show(this.#cursors);
  }

  /** Loads the next page of older downloads. */
  async older(): Promise<void> {
    // New downloads may have moved the end of the first page, so the first page and its cursor are loaded
    // again.
    if (this.#cursors.length === 0) await this.reload();
    if (this.#nextCursor !== null) await this.#show([...this.#cursors, this.#nextCursor]);
  }

  async newest(): Promise<void> {
    await this.#show([]);
  }

  async newer(): Promise<void> {
    await this.#show(this.#cursors.slice(0, -1));
  }

  /**
   * Updates the shown page after a download was created or has changed.
   * @returns false if a row was removed from a full page, so that a reload would bring one more row
   */
  update(download: DownloadRecord): boolean {
    if (this.#isLoading) this.#changedWhileLoading.set(download.download_id, download);
    const index = this.#rows.findIndex((row) => row.download_id === download.download_id);
    if (!this.#matches(download)) {
      if (index >= 0) this.#rows.splice(index, 1);
      return index < 0 || !this.hasOlder;
    }
    if (index >= 0) this.#rows[index] = download;
    else if (this.#cursors.length === 0) this.#insert(download);
    return true;
  }

  #insert(download: DownloadRecord): void {
    // Download ids sort by the time of their creation, so the place in the list follows from the id.
    const at = this.#rows.findIndex((row) => row.download_id < download.download_id);
    if (at < 0 && this.hasOlder) return;
    this.#rows.splice(at < 0 ? this.#rows.length : at, 0, download);
    const [dropped] = this.#rows.splice(PAGE_SIZE);
    // The first page overflowed, so there is a second page now. Any cursor serves to show that, because
    // older() loads the first page again, and the exact cursor with it.
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

  async #show(cursors: string[]): Promise<void> {
    const requestNumber = ++this.#requestNumber;
    const { status, clientId, jobId, open, downloadId } = this.#filter;
    const cursor = cursors.at(-1);
    this.#changedWhileLoading.clear();
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
      if (requestNumber !== this.#requestNumber) return;
      this.#rows = page.downloads;
      this.#nextCursor = page.next_cursor;
      this.#cursors = cursors;
      this.#hasLoaded = true;
    } finally {
      if (requestNumber === this.#requestNumber) this.#isLoading = false;
    }
    for (const download of this.#changedWhileLoading.values()) this.update(download);
  }
}
