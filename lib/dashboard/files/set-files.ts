import type { DownloadRecord } from "../../api/schemas.ts";
import type { SetFileRecord, SetFileStatus } from "../../api/sets.ts";
import { nameOfDownload } from "../../api/download-name.ts";
import { formatSize } from "../../util/sizes.ts";
import { api, contentPath } from "../api.ts";
import { byId, cloneOf, find, setText } from "../dom.ts";
import { formatCount, visible } from "../format.ts";

/** Number of files per request. */
const PAGE_SIZE = 200;

const WORDS = {
  received: "Received",
  unchanged: "Unchanged",
  skipped: "Skipped",
} satisfies Record<SetFileRecord["status"], string>;

/** The dialog that lists the files of a set, each as received, unchanged, or skipped with the reason. */
export class SetFiles {
  readonly #dialog = byId("set-files", HTMLDialogElement);
  readonly #rows = byId("set-files-rows", HTMLElement);
  readonly #status = byId("set-files-status", HTMLSelectElement);
  readonly #more = byId("set-files-more", HTMLButtonElement);
  #download: DownloadRecord | null = null;
  #cursor: string | null = null;
  /** Number of the latest request. Responses to earlier requests are ignored. */
  #requestNumber = 0;

  constructor() {
    byId("set-files-close", HTMLButtonElement).addEventListener("click", () =>
      this.#dialog.close(),
    );
    this.#status.addEventListener("change", () => void this.#load());
    this.#more.addEventListener("click", () => void this.#load(this.#cursor));
  }

  show(download: DownloadRecord): void {
    this.#download = download;
    const name = visible(nameOfDownload(download));
    setText(byId("set-files-heading", HTMLElement), `Files of ${name}`);
    const { files_received, files_unchanged, files_skipped } = download;
    const received = files_received ?? 0;
    const unchanged = files_unchanged ?? 0;
    const skipped = files_skipped ?? 0;
    const option = (status: string, word: string, count: number) =>
      new Option(`${word} (${formatCount(count)})`, status);
    this.#status.replaceChildren(
      option("", "All", received + unchanged + skipped),
      option("received", WORDS.received, received),
      option("unchanged", WORDS.unchanged, unchanged),
      option("skipped", WORDS.skipped, skipped),
    );
    this.#dialog.showModal();
    void this.#load();
  }

  /** Loads a page of files. @param cursor where the page begins; null loads the first page */
  async #load(cursor: string | null = null): Promise<void> {
    const download = this.#download;
    if (!download) return;
    const requestNumber = ++this.#requestNumber;
    const say = (words: string) => setText(byId("set-files-state", HTMLElement), words);
    if (cursor === null) this.#rows.replaceChildren();
    this.#more.hidden = true;
    say("Loading…");
    // The value of the select element is a status, or an empty text to list the files of every status.
    const status = (this.#status.value || undefined) as SetFileStatus | undefined;
    const query = { status, limit: String(PAGE_SIZE), cursor: cursor ?? undefined };
    try {
      const { files, next_cursor } = await api.setFiles(download.download_id, query);
      if (requestNumber !== this.#requestNumber) return;
      const rows = files.map((file) => this.#row(file, download));
      this.#rows.append(...rows);
      this.#cursor = next_cursor;
      this.#more.hidden = next_cursor === null;
      const count = this.#rows.childElementCount;
      const shown = `${formatCount(count)} ${count === 1 ? "file" : "files"} shown`;
      say(count === 0 ? "There is no such file." : shown);
      // After a click on "more", that button may be hidden, so the first new row takes the focus.
      if (cursor !== null) rows[0]?.focus();
    } catch (error) {
      if (requestNumber === this.#requestNumber)
        say(error instanceof Error ? error.message : String(error));
    }
  }

  #row(file: SetFileRecord, { download_id, status, removed_at }: DownloadRecord): HTMLElement {
    const row = cloneOf("set-file");
    row.dataset["status"] = file.status;
    const path = find(row, ".set-file-path", HTMLElement);
    setText(path, visible(file.path));
    setText(find(row, ".set-file-size", HTMLElement), formatSize(file.size));
    setText(find(row, ".set-file-status", HTMLElement), WORDS[file.status]);
    setText(find(row, ".set-file-why", HTMLElement), visible(file.error ?? ""));
    const save = find(row, ".set-file-save", HTMLAnchorElement);
    save.hidden = status !== "completed" || file.status === "skipped" || removed_at !== null;
    save.href = contentPath(download_id, file.path);
    save.ariaLabel = `Save ${visible(file.path)}`;
    return row;
  }
}
