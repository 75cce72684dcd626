import type { NewDownload } from "../api/schemas.ts";
import { asksForSet } from "../api/set-words.ts";
import type { Site } from "./board.ts";
import { byId } from "./dom.ts";
import { offerSites } from "./site-choice.ts";

/** The file that is suggested. */
const USUAL_FILE = "file_to_download.txt";

/** The form that starts a download. */
export class StartForm {
  readonly #form = byId("start-form", HTMLFormElement);
  readonly #site = byId("start-site", HTMLSelectElement);
  readonly #path = byId("start-path", HTMLInputElement);
  readonly #submit = byId("start-submit", HTMLButtonElement);

  /**
   * @param onStart pulls the file; until it is done, the form is locked
   * @param onBrowse called with the site to browse
   */
  constructor(
    onStart: (download: NewDownload) => Promise<void>,
    onBrowse: (clientId: string) => void,
  ) {
    this.#path.value = USUAL_FILE;
    byId("browse", HTMLButtonElement).addEventListener("click", () => onBrowse(this.#site.value));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      // A second click during the request would pull the file twice.
      if (this.#submit.ariaDisabled === "true") return;
      this.#submit.ariaDisabled = "true";
      const word = this.#path.value;
      const what = asksForSet(word) ? { paths: [word] } : { file_path: word };
      void onStart({ client_id: this.#site.value, ...what }).finally(() => {
        this.#submit.ariaDisabled = "false";
      });
    });
  }

  /** @param sites to choose from */
  offer(sites: Site[]): void {
    this.#form.hidden = sites.length === 0;
    offerSites(this.#site, sites, { none: null, chosen: this.#site.value || null });
  }

  choose(clientId: string): void {
    this.#site.value = clientId;
  }

  /** Fills in a site, and focuses the field for the file. */
  prepare(clientId: string): void {
    this.choose(clientId);
    this.#path.focus();
    this.#path.select();
  }
}
