import type { DeliveryRecord } from "../../api/deliveries.ts";
import type { ClientRecord, DownloadRecord } from "../../api/schemas.ts";
import { formatSize } from "../../util/sizes.ts";
import { contentPath } from "../api.ts";
import { byId, moveFocusTo, setText } from "../dom.ts";
import { formatCount, formatWhen, visible } from "../format.ts";
import { DELIVERY_WORDS, timeWords } from "./delivery-words.ts";
import { markOf } from "./marks.ts";

export interface DeliverySheetListener {
  /** Called to request the delivery from its site again. */
  onAsk(delivery: DeliveryRecord): void;
  /** Loads the download of a delivery. @returns null if the download no longer exists */
  onDownload(downloadId: string): Promise<DownloadRecord | null>;
  /** Returns the URL of this page with only one download shown; null gives the URL with all downloads. */
  linkTo(downloadId: string | null): string;
  onClose(): void;
}

/** The dialog with the details of one delivery: when it was due, what arrived, and why files are missing. */
export class DeliverySheet {
  readonly #dialog = byId("delivery", HTMLDialogElement);
  readonly #ask = byId("delivery-ask", HTMLButtonElement);
  #shown: DeliveryRecord | null = null;
  #download: DownloadRecord | null = null;

  constructor(private readonly listener: DeliverySheetListener) {
    byId("delivery-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", ({ target }) => {
      if (target === this.#dialog) this.#dialog.close();
    });
    this.#dialog.addEventListener("close", () => {
      this.#shown = null;
      listener.onClose();
    });
    this.#ask.addEventListener("click", () => {
      if (this.#shown) listener.onAsk(this.#shown);
    });
    byId("delivery-link", HTMLAnchorElement).addEventListener("click", () => {
      this.#dialog.close();
      moveFocusTo("downloads");
    });
  }

  /** The delivery whose details are shown; null if the dialog is closed. */
  get shown(): DeliveryRecord | null {
    return this.#shown;
  }

  /**
   * Shows a delivery. Opens the dialog if it is closed.
   * @param client record of the delivery's site; undefined if unknown
   * @param mayAsk whether the signed-in token may request the delivery again
   */
  show(delivery: DeliveryRecord, client: ClientRecord | undefined, mayAsk: boolean): void {
    this.#ask.hidden = !mayAsk;
    const before = this.#shown;
    const isOtherDownload = before?.download_id !== delivery.download_id;
    this.#shown = delivery;
    if (isOtherDownload) this.#download = null;
    this.#render(delivery, client);
    if (!this.#dialog.open) this.#dialog.showModal();
    if (delivery.download_id !== null && (isOtherDownload || before?.status !== delivery.status)) {
      void this.#load(delivery.download_id, client);
    }
  }

  async #load(downloadId: string, client: ClientRecord | undefined): Promise<void> {
    const download = await this.listener.onDownload(downloadId);
    if (this.#shown?.download_id !== downloadId) return;
    this.#download = download;
    this.#render(this.#shown, client);
  }

  #render(delivery: DeliveryRecord, client: ClientRecord | undefined): void {
    const { client_id, status, scheduled_local, time_zone, due_at, download_id } = delivery;
    setText(byId("delivery-heading", HTMLElement), visible(client_id));
    const state = byId("delivery-status", HTMLElement);
    if (state.dataset["status"] !== status) {
      state.dataset["status"] = status;
      const cell = document.createElement("span");
      cell.className = "cell";
      cell.dataset["status"] = status;
      cell.append(markOf(status));
      state.replaceChildren(cell, DELIVERY_WORDS[status]);
    }
    setText(
      byId("delivery-scheduled", HTMLElement),
      `${timeWords(scheduled_local)} (${time_zone})`,
    );
    setText(byId("delivery-due", HTMLElement), localWords(due_at, time_zone));
    setText(byId("delivery-files", HTMLElement), formatCount(delivery.files));
    setText(byId("delivery-bytes", HTMLElement), formatSize(delivery.bytes));
    const why = whyOf(delivery, this.#download, client, Date.now());
    byId("delivery-why-row", HTMLElement).hidden = why === "";
    setText(byId("delivery-why", HTMLElement), visible(why));
    const link = byId("delivery-link", HTMLAnchorElement);
    link.hidden = download_id === null;
    link.href = this.listener.linkTo(download_id);
    const save = byId("delivery-save", HTMLAnchorElement);
    const download = this.#download;
    const hasContent = download?.saved_path != null && download.removed_at === null;
    save.hidden = download_id === null || download?.status !== "completed" || !hasContent;
    if (download_id !== null) save.href = contentPath(download_id);
  }
}

/** Returns why a delivery is missing or incomplete; `""` if it is complete, or the reason is not known. */
function whyOf(
  { status, job_id }: DeliveryRecord,
  download: DownloadRecord | null,
  client: ClientRecord | undefined,
  now: number,
): string {
  if (job_id === null) return "Not asked: it was busy with the time before";
  if (status === "received" || status === "late") return "";
  if (download?.error) return download.error;
  const skipped = download?.files_skipped ?? 0;
  if (skipped > 0) return `${formatCount(skipped)} files were skipped`;
  if (download?.status === "completed") return "Less came than is expected";
  if (download?.status === "downloading") return "It is coming";
  if (client?.connected !== false) return "";
  const seen = client.last_seen_at;
  return seen === null
    ? "Offline, never seen"
    : `The site is offline, seen ${formatWhen(seen, now)}`;
}

/**
 * Formats a moment in local time with its zone: `"Mon, Nov 30, 04:00 (Europe/Berlin)"`.
 * @param time ISO 8601
 */
function localWords(time: string, timeZone: string): string {
  const format = new Intl.DateTimeFormat("en", {
    weekday: "short",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZone,
  });
  return `${format.format(new Date(time))} (${timeZone})`;
}
