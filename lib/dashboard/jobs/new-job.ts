import type { NewJob } from "../../api/jobs.ts";
import type { Site } from "../board.ts";
import { byId, find, setText } from "../dom.ts";
import {
  flawOfRate,
  type JobFields,
  matchWordsOf,
  type SitesBy,
  orderOf,
  formatSiteCount,
} from "./job-order.ts";

/** Label and example of the text field for sites, for each way to select sites. */
const SITES_FIELD: Record<SitesBy, { label: string; example: string }> = {
  all: { label: "", example: "" },
  labels: { label: "Labels of the sites", example: "region=west,tier!=test" },
  ids: { label: "Names of the sites", example: "restaurant-0*, till-7" },
};

/** The form for a new job. It shows how many sites match while a person types. */
export class NewJobForm {
  readonly #form = byId("new-job", HTMLFormElement);
  readonly #toggle = byId("new-job-toggle", HTMLButtonElement);
  readonly #sites = byId("new-job-sites", HTMLInputElement);
  readonly #submit = byId("new-job-submit", HTMLButtonElement);
  #allSites: readonly Site[] = [];
  /** The last request that was sent and not confirmed, as JSON, with its Idempotency-Key; null if none. */
  #unconfirmed: { text: string; key: string } | null = null;

  /** @param onAsk creates a job with an Idempotency-Key; returns whether that succeeded */
  constructor(private readonly onAsk: (order: NewJob, key: string) => Promise<boolean>) {
    this.#toggle.addEventListener("click", () => this.#show(this.#form.hidden === true));
    byId("new-job-close", HTMLButtonElement).addEventListener("click", () => this.#show(false));
    this.#form.addEventListener("input", () => this.#render());
    this.#form.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#show(false);
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#ask();
    });
  }

  /** Draws the open form. @param sites all sites, to count those that the form selects */
  render(sites: readonly Site[]): void {
    this.#allSites = sites;
    if (!this.#form.hidden) this.#render();
  }

  #show(isShown: boolean): void {
    this.#form.hidden = !isShown;
    this.#toggle.ariaExpanded = String(isShown);
    this.#render();
    if (isShown) find(this.#form, "input:checked", HTMLInputElement).focus();
    else this.#toggle.focus();
  }

  #render(): void {
    const fields = this.#fields();
    const { label, example } = SITES_FIELD[fields.sitesBy];
    this.#sites.hidden = fields.sitesBy === "all";
    this.#sites.disabled = fields.sitesBy === "all";
    this.#sites.ariaLabel = label;
    this.#sites.placeholder = example;
    const clients = this.#allSites.map(({ client }) => client);
    const { words, isWrong, total } = matchWordsOf(fields, clients);
    const match = byId("new-job-match", HTMLElement);
    setText(match, words);
    match.classList.toggle("bad", isWrong);
    match.classList.toggle("none", total === 0);
    this.#sites.ariaInvalid = String(isWrong);
    // A custom validity keeps the browser from sending the form while the selection of sites is wrong. The
    // reason is shown below the field.
    this.#sites.setCustomValidity(isWrong ? words : "");
    setText(this.#submit, total === null || total === 0 ? "Ask" : `Ask ${formatSiteCount(total)}`);
    byId("new-job-expires", HTMLInputElement).required = fields.isContinuous;
    byId("new-job-rate", HTMLInputElement).setCustomValidity(flawOfRate(fields.rate));
  }

  #fields(): JobFields {
    const form = new FormData(this.#form);
    const text = (name: string) => String(form.get(name) ?? "");
    const by = text("by");
    return {
      sitesBy: by === "labels" || by === "ids" ? by : "all",
      sites: text("sites"),
      what: text("what"),
      name: text("name"),
      expiresIn: text("expires_in"),
      maxConcurrent: text("max_concurrent"),
      spread: text("spread"),
      rate: text("rate"),
      stopPercent: text("failed_percent"),
      keepDays: text("keep_days"),
      keepLast: text("keep_last"),
      isContinuous: form.has("continuous"),
      skipsUnchanged: form.has("skip"),
    };
  }

  /**
   * Returns the Idempotency-Key of a request. An unchanged request that is sent again has the same key, so
   * that a lost response does not lead to two jobs.
   */
  #keyOf(order: NewJob): string {
    const text = JSON.stringify(order);
    if (this.#unconfirmed?.text !== text) this.#unconfirmed = { text, key: newKey() };
    return this.#unconfirmed.key;
  }

  async #ask(): Promise<void> {
    const order = orderOf(this.#fields());
    // Clicks during the request are ignored, as a second request would ask every site twice.
    if (order === null || this.#submit.ariaDisabled === "true") return;
    this.#submit.ariaDisabled = "true";
    const isMade = await this.onAsk(order, this.#keyOf(order));
    this.#submit.ariaDisabled = "false";
    if (!isMade) return;
    this.#unconfirmed = null;
    this.#form.reset();
    this.#show(false);
  }
}

/**
 * Returns a new unique key. crypto.randomUUID is not used, as browsers offer it only to pages by https or
 * from localhost.
 */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
