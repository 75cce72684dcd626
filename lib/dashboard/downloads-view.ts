import { CHECKSUM_NAMES, digestOf } from "../api/checksums.ts";
import { nameOfDownload } from "../api/download-name.ts";
import { hasEnded } from "../api/has-ended.ts";
import type { DownloadRecord } from "../api/schemas.ts";
import { contentPath } from "./api.ts";
import { fragmentOf, NO_FILTERS } from "./address.ts";
import type { Board } from "./board.ts";
import { arrange, byId, cloneOf, find, keepingFocus, setText, setTime } from "./dom.ts";
import { formatCount, formatWhen, visible } from "./format.ts";
import { numbersOf } from "./download-numbers.ts";
import { showKeeping } from "./keep/keeping.ts";
import { areSame, type Listing } from "./listing.ts";
import { showPath, showSite } from "./long-names.ts";
import { STATUS_WORDS } from "./status.ts";

/** Actions on a download. Each is also the class name of its button in a row. */
const ACTIONS = ["cancel", "retry", "copy", "save", "files", "hold", "release", "remove"] as const;
export type RowAction = (typeof ACTIONS)[number];

/** Highest number of running downloads that are pinned above the list. Further ones are only counted. */
const MAX_PINNED = 50;

export interface DownloadsListener {
  /** Called when a button in a row is clicked. @param row the element of the download's row */
  onAction(action: RowAction, download: DownloadRecord, row: HTMLElement): void;
}

/** The list of downloads, one page of it at a time. Running downloads are pinned above every page. */
export class DownloadsView {
  readonly #lists = byId("download-lists", HTMLElement);
  readonly #pinned = byId("running-list", HTMLOListElement);
  readonly #list = byId("download-list", HTMLOListElement);
  readonly #rows = new Map<string, HTMLElement>();
  #shown: readonly DownloadRecord[] = [];

  constructor(
    private readonly listing: Listing,
    private readonly board: Board,
    listener: DownloadsListener,
  ) {
    this.#lists.addEventListener("click", (event) => {
      const pressed = event.target instanceof Element ? event.target.closest("button, a") : null;
      const row = pressed?.closest<HTMLElement>(".download");
      const id = row?.dataset["downloadId"];
      const download = this.#shown.find(({ download_id }) => download_id === id);
      const action = ACTIONS.find((name) => pressed?.classList.contains(name));
      if (!row || !download || !action) return;
      event.preventDefault();
      listener.onAction(action, download, row);
    });
  }

  render(): void {
    const now = Date.now();
    const { status, downloadId } = this.listing.filter;
    // If the list is filtered by status or by id, running downloads stay in the list and none are pinned.
    const canPin = status === undefined && downloadId === undefined;
    const running = canPin ? this.board.running(this.listing.filter, now) : [];
    const pinned = running.slice(0, MAX_PINNED);
    const pinnedIds = new Set(pinned.map(({ download_id }) => download_id));
    const page = this.listing.rows.filter(({ download_id }) => !pinnedIds.has(download_id));
    this.#shown = [...pinned, ...page];
    const rows = this.#shown.map((download) => this.#row(download, now));
    keepingFocus(() => {
      arrange(this.#pinned, rows.slice(0, pinned.length));
      arrange(this.#list, rows.slice(pinned.length));
    });
    const shownIds = new Set(this.#shown.map(({ download_id }) => download_id));
    for (const id of this.#rows.keys()) if (!shownIds.has(id)) this.#rows.delete(id);
    byId("running", HTMLElement).hidden = pinned.length === 0;
    const more = byId("running-more", HTMLElement);
    more.hidden = running.length <= MAX_PINNED;
    setText(more, `${formatCount(running.length - MAX_PINNED)} more are under way`);
    this.#renderPager();
  }

  #renderPager(): void {
    const { pageNumber, hasOlder, filter, isLoaded } = this.listing;
    for (const id of ["newest", "newer"]) byId(id, HTMLButtonElement).disabled = pageNumber === 1;
    byId("older", HTMLButtonElement).disabled = !hasOlder;
    byId("pager", HTMLElement).hidden = pageNumber === 1 && !hasOlder;
    setText(byId("page-number", HTMLElement), `Page ${pageNumber}`);
    const empty = byId("downloads-empty", HTMLElement);
    empty.hidden = isLoaded && this.#shown.length > 0;
    // The text for an empty list is not chosen while it is hidden: checkVisibility() below makes the browser
    // lay out the page, which is slow.
    if (empty.hidden) return;
    const isFiltered = !areSame(filter, {});
    const canStart = byId("start-form", HTMLFormElement).checkVisibility();
    const noneYetText = `Nothing was pulled yet${canStart ? ": choose a site and a file above, and press Start" : ""}.`;
    const emptyText = isFiltered ? "No download is like this." : noneYetText;
    setText(empty, isLoaded ? emptyText : "Loading…");
  }

  #row(download: DownloadRecord, now: number): HTMLElement {
    const row = this.#rows.get(download.download_id) ?? this.#newRow(download);
    const focused = row.contains(document.activeElement) ? document.activeElement : null;
    row.dataset["status"] = download.status;
    const isRemoved = download.removed_at !== null;
    const words = isRemoved ? "Removed" : STATUS_WORDS[download.status];
    setText(find(row, ".status", HTMLElement), words);
    const time = find(row, "time", HTMLTimeElement);
    setTime(time, download.created_at, formatWhen(download.created_at, now));
    showProgress(row, download);
    const isOnline = this.board.isOnline(download.client_id);
    setText(find(row, ".numbers", HTMLElement), numbersOf(download, isOnline));
    for (const selector of [".verified", ".sum"]) {
      find(row, selector, HTMLElement).hidden = download.status !== "completed" || isRemoved;
    }
    showKeeping(row, download, now);
    setText(find(row, ".algorithm", HTMLElement), CHECKSUM_NAMES[download.checksum]);
    setText(find(row, ".digest", HTMLElement), digestOf(download) ?? "");
    const why = find(row, ".why", HTMLElement);
    why.hidden = download.error === null;
    setText(why, visible(download.error ?? ""));
    why.title = why.textContent;
    const retried = find(row, ".retried", HTMLAnchorElement);
    retried.hidden = download.retried_as === null;
    retried.href = fragmentOf({ ...NO_FILTERS, download: download.retried_as });
    showActions(row, download);
    // If the clicked button is hidden now, the row takes the focus, so that keyboard users keep their place.
    if (focused?.checkVisibility() === false) row.focus();
    return row;
  }

  #newRow(download: DownloadRecord): HTMLElement {
    const row = cloneOf("download-row");
    const { download_id, client_id } = download;
    row.dataset["downloadId"] = download_id;
    const name = visible(nameOfDownload(download));
    showPath(find(row, ".file", HTMLElement), name);
    showSite(find(row, ".site-id", HTMLElement), client_id);
    find(row, "progress", HTMLProgressElement).ariaLabel = `Progress of ${name}`;
    const save = find(row, ".save", HTMLAnchorElement);
    save.href = contentPath(download_id);
    for (const [selector, verb] of [
      [".save", "Save"],
      [".cancel", "Cancel"],
      [".retry", "Retry"],
      [".copy", "Copy the checksum of"],
      [".files", "Files of"],
      [".hold", "Hold"],
      [".release", "Release"],
      [".remove", "Remove"],
    ] as const) {
      find(row, selector, HTMLElement).ariaLabel = `${verb} ${name}`;
    }
    this.#rows.set(download_id, row);
    return row;
  }
}

function showProgress(row: HTMLElement, { status, percent }: DownloadRecord): void {
  const bar = find(row, "progress", HTMLProgressElement);
  const value = percent ?? 0;
  if (bar.value !== value) bar.value = value;
  const isPartial = status === "queued" && value > 0;
  find(row, ".live", HTMLElement).hidden =
    !isPartial && status !== "downloading" && status !== "verifying";
  setText(find(row, ".percent", HTMLElement), percent === null ? "" : `${Math.floor(value)} %`);
}

function showActions(row: HTMLElement, download: DownloadRecord): void {
  const { status, retried_as, removed_at } = download;
  find(row, ".save", HTMLElement).hidden = status !== "completed" || removed_at !== null;
  find(row, ".files", HTMLElement).hidden = download.files_total === null;
  find(row, ".cancel", HTMLElement).hidden = hasEnded(download);
  find(row, ".retry", HTMLElement).hidden =
    (status !== "failed" && status !== "cancelled") || retried_as !== null;
}
