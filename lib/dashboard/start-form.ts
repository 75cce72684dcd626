import type { NewDownload } from "../api/schemas.ts";
import { asksForSet } from "../api/set-words.ts";
import type { Site } from "./board.ts";
import { byId } from "./dom.ts";
import { offerSites } from "./site-choice.ts";

/** The path that the form suggests at first: the test file that `bun run setup` makes. */
const SUGGESTED_PATH = "file_to_download.txt";

/** The form that starts a download. */
export class StartForm {
  readonly #form = byId("start-form", HTMLFormElement);
  readonly #site = byId("start-site", HTMLSelectElement);
  readonly #path = byId("start-path", HTMLInputElement);
  readonly #submit = byId("start-submit", HTMLButtonElement);

  /**
   * @param onStart requests the download; the form is locked until its promise resolves
   * @param onBrowse opens the dialog for browsing the folders of a site
   */
  constructor(
    onStart: (download: NewDownload) => Promise<void>,
    onBrowse: (clientId: string) => void,
  ) {
    this.#path.value = SUGGESTED_PATH;
    byId("browse", HTMLButtonElement).addEventListener("click", () => onBrowse(this.#site.value));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      // Clicks during the request are ignored, as a second request would pull the file twice.
      if (this.#submit.ariaDisabled === "true") return;
      this.#submit.ariaDisabled = "true";
      const word = this.#path.value;
      const what = asksForSet(word) ? { paths: [word] } : { file_path: word };
      void onStart({ client_id: this.#site.value, ...what }).finally(() => {
        this.#submit.ariaDisabled = "false";
      });
    });
  }

  /** Sets the sites that the form offers. Without sites, the form is hidden. */
  offer(sites: Site[]): void {
    this.#form.hidden = sites.length === 0;
    offerSites(this.#site, sites, { noneLabel: null, chosen: this.#site.value || null });
  }

  choose(clientId: string): void {
    this.#site.value = clientId;
  }

  /** Selects a site in the form, and moves the focus to the field for the file's path. */
  prepare(clientId: string): void {
    this.choose(clientId);
    this.#path.focus();
    this.#path.select();
  }
}
