import type { ClientFile, ClientFileList } from "../../api/files.ts";
import type { NewDownload } from "../../api/schemas.ts";
import { literalPattern } from "../../api/set-words.ts";
import { hasDates } from "../../util/path-dates.ts";
import { api } from "../api.ts";
import { byId, setText } from "../dom.ts";
import { formatCount, visible } from "../format.ts";
import { FolderList } from "./folder-list.ts";

/** Number of names per request, the highest that the server allows. */
const PAGE_SIZE = 1_000;

/** Highest number of paths in one request for a download. */
const MAX_CHOSEN = 100;

/** The dialog for browsing a site's folders, to choose what to pull. */
export class FolderBrowser {
  readonly #dialog = byId("folder-browser", HTMLDialogElement);
  readonly #path = byId("folder-path", HTMLInputElement);
  readonly #pull = byId("folder-pull", HTMLButtonElement);
  readonly #list: FolderList;
  #clientId = "";
  /**
   * Paths from the top to the open folder, which is the last; null stands for the list of the site's roots.
   */
  #trail: (string | null)[] = [null];
  readonly #chosen = new Map<string, ClientFile>();
  #cursor: string | null = null;
  #shownCount = 0;
  /** Aborts the running request for a folder's entries; null if none is running. */
  #loading: AbortController | null = null;

  /**
   * @param onPull requests a download of the chosen files; returns true if the server accepted the request
   */
  constructor(private readonly onPull: (download: NewDownload) => Promise<boolean>) {
    this.#list = new FolderList((path) => this.#chosen.has(path), {
      onOpen: (folder) => void this.#open([...this.#trail, folder.path]),
      onUp: () => void this.#goUp(),
      onTick: (entry) => this.#tick(entry),
      onEnd: () => void this.#loadMore(),
    });
    byId("folder-up", HTMLButtonElement).addEventListener("click", () => void this.#goUp());
    byId("folder-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    byId("folder-clear", HTMLButtonElement).addEventListener("click", () => this.#clear());
    this.#pull.addEventListener("click", () => void this.#startPull());
    byId("folder-go", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const path = this.#path.value.trim();
      void this.#open(path === "" ? [null] : [null, path]);
    });
    this.#dialog.addEventListener("close", () => this.#loading?.abort());
  }

  /** Opens the dialog with the roots of a site. */
  show(clientId: string): void {
    this.#clientId = clientId;
    setText(byId("folder-heading", HTMLElement), `Files of ${clientId}`);
    this.#chosen.clear();
    this.#renderChosen();
    this.#dialog.showModal();
    void this.#open([null]);
  }

  /**
   * Opens a folder. The list takes the focus before its entries are loaded, so that a slow response does not
   * move the focus away from where a person types.
   * @param trail paths from the top to the folder
   * @param selectedPath path of the entry to select; null selects the first one
   */
  async #open(trail: (string | null)[], selectedPath: string | null = null): Promise<void> {
    this.#trail = trail;
    this.#path.value = this.#folder ?? "";
    byId("folder-up", HTMLButtonElement).disabled = trail.length === 1;
    this.#loading?.abort();
    this.#loading = null;
    this.#list.clear();
    this.#shownCount = 0;
    this.#cursor = null;
    this.#list.focus();
    await this.#load();
    if (this.#trail === trail) this.#list.moveTo(selectedPath);
  }

  get #folder(): string | null {
    return this.#trail.at(-1) ?? null;
  }

  async #goUp(): Promise<void> {
    if (this.#trail.length > 1) await this.#open(this.#trail.slice(0, -1), this.#folder);
  }

  async #loadMore(): Promise<void> {
    if (this.#cursor !== null && this.#loading === null) await this.#load();
  }

  async #load(): Promise<void> {
    const loading = new AbortController();
    this.#loading = loading;
    this.#say(
      this.#shownCount === 0 ? "Asking the site…" : `${formatCount(this.#shownCount)} names, more…`,
    );
    const query = {
      path: this.#folder ?? undefined,
      limit: String(PAGE_SIZE),
      cursor: this.#cursor ?? undefined,
    };
    try {
      const answer = await api.clientFiles(this.#clientId, query, loading.signal);
      if (this.#loading !== loading) return;
      this.#loading = null;
      this.#showPage(answer);
    } catch (error) {
      if (this.#loading !== loading) return;
      this.#loading = null;
      this.#cursor = null;
      this.#say(error instanceof Error ? visible(error.message) : String(error), true);
    }
  }

  #showPage({ entries, next_cursor, truncated }: ClientFileList): void {
    this.#shownCount += entries.length;
    this.#cursor = next_cursor;
    const names = `${formatCount(this.#shownCount)} ${this.#shownCount === 1 ? "name" : "names"}`;
    const more = next_cursor === null ? "" : ", more below";
    const cutNote = truncated ? "; the folder has more than the site reads" : "";
    this.#say(
      this.#shownCount === 0 ? "Nothing is here to be pulled." : `${names}${more}${cutNote}`,
    );
    this.#list.add(entries);
  }

  /** Shows a text: above the list if it tells of a problem, otherwise below the list. */
  #say(words: string, isProblem = false): void {
    const problem = byId("folder-problem", HTMLElement);
    problem.hidden = !isProblem;
    setText(problem, isProblem ? words : "");
    setText(byId("folder-state", HTMLElement), isProblem ? "" : words);
  }

  #tick(entry: ClientFile): void {
    if (!this.#chosen.delete(entry.path)) {
      if (this.#chosen.size >= MAX_CHOSEN) {
        return this.#say(`${MAX_CHOSEN} can be chosen at most: choose their folder`, true);
      }
      this.#chosen.set(entry.path, entry);
    }
    this.#renderChosen();
  }

  #clear(): void {
    this.#chosen.clear();
    this.#list.render();
    this.#renderChosen();
    this.#list.focus();
  }

  #renderChosen(): void {
    const entries = [...this.#chosen.values()];
    const folders = entries.filter(({ type }) => type === "folder").length;
    const files = entries.length - folders;
    const words = [
      ...(folders > 0 ? [`${folders} ${folders === 1 ? "folder" : "folders"}`] : []),
      ...(files > 0 ? [`${files} ${files === 1 ? "file" : "files"}`] : []),
    ];
    const chosen = byId("folder-chosen", HTMLElement);
    setText(chosen, entries.length === 0 ? "Nothing is chosen" : `${words.join(" and ")} chosen`);
    chosen.title = entries.map(({ path }) => visible(path)).join("\n");
    byId("folder-clear", HTMLButtonElement).hidden = entries.length === 0;
    this.#pull.disabled = entries.length === 0;
  }

  async #startPull(): Promise<void> {
    this.#pull.disabled = true;
    const isStarted = await this.onPull(this.#request());
    if (isStarted) this.#dialog.close();
    else this.#renderChosen();
  }

  /**
   * Returns the request for the chosen paths: a file if a single one is chosen, otherwise a set. A file with
   * `{date}` in its name is also requested as a set: in the patterns of a set, the brace can be escaped, so
   * that no date is filled in.
   */
  #request(): NewDownload {
    const entries = [...this.#chosen.values()];
    const [first, ...others] = entries;
    const client_id = this.#clientId;
    const isSingleFile = first?.type === "file" && others.length === 0;
    if (isSingleFile && !hasDates(first.path)) return { client_id, file_path: first.path };
    const skipsUnchanged = byId("folder-skip", HTMLInputElement).checked;
    return {
      client_id,
      paths: entries.map(({ path }) => literalPattern(path)),
      ...(skipsUnchanged && { unchanged: "skip" as const }),
    };
  }
}
