import type { NewDownload } from "../api/schemas.ts";
import { asksForSet } from "../api/set-words.ts";
import type { Site } from "./board.ts";
import { byId } from "./dom.ts";
import { offerSites } from "./site-choice.ts";

/** The file that the form proposes. */
const USUAL_FILE = "file_to_download.txt";

/** The form that starts a download. */
export class StartForm {
  readonly #form = byId("start-form", HTMLFormElement);
  readonly #site = byId("start-site", HTMLSelectElement);
  readonly #path = byId("start-path", HTMLInputElement);
  readonly #submit = byId("start-submit", HTMLButtonElement);

  /**
   * @param onStart called with what to pull; until it is settled, nothing can be started
   * @param onBrowse called with the site whose folders are to be looked into
   */
  constructor(
    onStart: (download: NewDownload) => Promise<void>,
    onBrowse: (clientId: string) => void,
  ) {
    this.#path.value = USUAL_FILE;
    byId("browse", HTMLButtonElement).addEventListener("click", () => onBrowse(this.#site.value));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      // A second press while the first one is on its way would pull the file twice.
      if (this.#submit.ariaDisabled === "true") return;
      this.#submit.ariaDisabled = "true";
      const word = this.#path.value;
      const what = asksForSet(word) ? { paths: [word] } : { file_path: word };
      void onStart({ client_id: this.#site.value, ...what }).finally(() => {
        this.#submit.ariaDisabled = "false";
      });
    });
  }

  /** @param sites that can be chosen */
  offer(sites: Site[]): void {
    this.#form.hidden = sites.length === 0;
    offerSites(this.#site, sites, { none: null, chosen: this.#site.value || null });
  }

  choose(clientId: string): void {
    this.#site.value = clientId;
  }

  /** Leaves only the file to be said. */
  prepare(clientId: string): void {
    this.choose(clientId);
    this.#path.focus();
    this.#path.select();
  }
}
