import { CHECKSUM_NAMES, digestOf } from "../api/checksums.ts";
import type { DownloadRecord } from "../api/schemas.ts";
import { formatSize } from "../util/sizes.ts";
import { contentPath } from "./api.ts";
import { type Board, hasEnded } from "./board.ts";
import { arrange, byId, cloneOf, find, setText, setTime } from "./dom.ts";
import { formatAgo, formatRate, formatSpan, visible } from "./format.ts";
import type { Listing } from "./listing.ts";

/** What can be done with a row. */
export type RowAction = "cancel" | "retry" | "copy";

const STATUS_WORDS = {
  queued: "Queued",
  downloading: "Downloading",
  verifying: "Verifying",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
} satisfies Record<DownloadRecord["status"], string>;

/** The page of downloads that is shown. */
export class DownloadsView {
  readonly #list = byId("download-list", HTMLOListElement);
  readonly #rows = new Map<string, HTMLElement>();
  #shown: readonly DownloadRecord[] = [];

  constructor(
    private readonly listing: Listing,
    private readonly board: Board,
    onAction: (action: RowAction, download: DownloadRecord) => void,
  ) {
    this.#list.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("button") : null;
      const id = button?.closest<HTMLElement>(".download")?.dataset["downloadId"];
      const download = this.#shown.find(({ download_id }) => download_id === id);
      const action = (["cancel", "retry", "copy"] as const).find((name) =>
        button?.classList.contains(name),
      );
      if (download && action) onAction(action, download);
    });
  }

  render(): void {
    const now = Date.now();
    this.#shown = [...this.listing.rows];
    const rows = this.#shown.map((download) => this.#row(download, now));
    arrange(this.#list, rows);
    const kept = new Set(this.#shown.map(({ download_id }) => download_id));
    for (const id of this.#rows.keys()) if (!kept.has(id)) this.#rows.delete(id);
    this.#renderPager();
  }

  /** Marks the checksum of a row, to be copied by hand. */
  markDigest(downloadId: string): void {
    const row = this.#rows.get(downloadId);
    if (row) getSelection()?.selectAllChildren(find(row, ".digest", HTMLElement));
  }

  #renderPager(): void {
    const { pageNumber, hasOlder, filter } = this.listing;
    byId("newer", HTMLButtonElement).disabled = pageNumber === 1;
    byId("older", HTMLButtonElement).disabled = !hasOlder;
    byId("pager", HTMLElement).hidden = pageNumber === 1 && !hasOlder;
    setText(byId("page-number", HTMLElement), `Page ${pageNumber}`);
    const empty = byId("downloads-empty", HTMLElement);
    empty.hidden = !this.listing.isEmpty;
    const isFiltered = filter.status !== undefined || filter.clientId !== undefined;
    setText(
      empty,
      isFiltered
        ? "No download is like this."
        : "Nothing was pulled yet: choose a site and a file above, and press Start.",
    );
  }

  #row(download: DownloadRecord, now: number): HTMLElement {
    const row = this.#rows.get(download.download_id) ?? this.#newRow(download);
    const focused = row.contains(document.activeElement) ? document.activeElement : null;
    row.dataset["status"] = download.status;
    setText(find(row, ".status", HTMLElement), STATUS_WORDS[download.status]);
    const time = find(row, "time", HTMLTimeElement);
    setTime(time, download.created_at, formatAgo(download.created_at, now));
    const { attempts } = download;
    const tries = attempts > 1 ? ` · ${attempts} attempts` : "";
    setText(find(row, ".attempts", HTMLElement), tries);
    showProgress(row, download);
    setText(find(row, ".numbers", HTMLElement), this.#numbersOf(download));
    find(row, ".sum", HTMLElement).hidden = download.status !== "completed";
    setText(find(row, ".algorithm", HTMLElement), CHECKSUM_NAMES[download.checksum]);
    setText(find(row, ".digest", HTMLElement), digestOf(download) ?? "");
    const why = find(row, ".why", HTMLElement);
    why.hidden = download.error === null;
    setText(why, visible(download.error ?? ""));
    showActions(row, download);
    // The button that was pressed may be gone: the row takes the focus, so that it is not lost.
    if (focused?.checkVisibility() === false) row.focus();
    return row;
  }

  #numbersOf(download: DownloadRecord): string {
    if (download.status !== "queued") return numbersOf(download);
    const waits = `${download.bytes_received > 0 ? `${receivedOf(download)}, waits` : "Waits"} for`;
    return `${waits} ${this.board.isOnline(download.client_id) ? "its turn" : "its site to connect"}`;
  }

  #newRow({ download_id, client_id, file_path }: DownloadRecord): HTMLElement {
    const row = cloneOf("download-row");
    row.dataset["downloadId"] = download_id;
    const name = visible(file_path);
    const file = find(row, ".file", HTMLElement);
    const baseAt = name.lastIndexOf("/") + 1;
    setText(find(file, ".folder", HTMLElement), name.slice(0, baseAt));
    setText(find(file, ".base", HTMLElement), name.slice(baseAt));
    file.title = name;
    setText(find(row, ".site-id", HTMLElement), client_id);
    find(row, "progress", HTMLProgressElement).ariaLabel = `Progress of ${name}`;
    const save = find(row, ".save", HTMLAnchorElement);
    save.href = contentPath(download_id);
    for (const [selector, verb] of [
      [".save", "Save"],
      [".cancel", "Cancel"],
      [".retry", "Retry"],
      [".copy", "Copy the checksum of"],
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
  const { status } = download;
  find(row, ".save", HTMLElement).hidden = status !== "completed";
  find(row, ".cancel", HTMLElement).hidden = hasEnded(download);
  find(row, ".retry", HTMLElement).hidden = status !== "failed" && status !== "cancelled";
}

/** What the wire was spared is worth a word from this part of the file on. */
const WORTH_TELLING = 0.03;

/** How far, how fast, how long: of a download that does not wait. */
function numbersOf(download: DownloadRecord): string {
  const { status, total_size, bytes_per_second, eta_seconds, rate_limit } = download;
  if (total_size === null) return "";
  const rate = bytes_per_second === null ? [] : [formatRate(bytes_per_second)];
  if (status === "completed") {
    const span = `in ${formatSpan(secondsOf(download))}`;
    return [formatSize(total_size), span, ...rate, ...savedBy(download)].join(" · ");
  }
  const left = eta_seconds === null ? [] : [`${formatSpan(eta_seconds)} left`];
  const limit = rate_limit === null ? [] : [`${formatRate(rate_limit)} at most`];
  return [receivedOf(download), ...rate, ...limit, ...left].join(" · ");
}

/** `"27.0 MiB on the wire"`, where that is clearly less than the file. */
function savedBy({ bytes_on_wire, total_size }: DownloadRecord): string[] {
  return bytes_on_wire < (total_size ?? 0) * (1 - WORTH_TELLING)
    ? [`${formatSize(bytes_on_wire)} on the wire`]
    : [];
}

/** `"36.3 MiB of 100.0 MiB"` */
function receivedOf({ bytes_received, total_size }: DownloadRecord): string {
  return `${formatSize(bytes_received)} of ${formatSize(total_size ?? 0)}`;
}

function secondsOf({ started_at, completed_at }: DownloadRecord): number {
  if (started_at === null || completed_at === null) return 0;
  return (Date.parse(completed_at) - Date.parse(started_at)) / 1000;
}
