import type { NewJob } from "../../api/jobs.ts";
import type { Site } from "../board.ts";
import { byId, find, setText } from "../dom.ts";
import {
  flawOfRate,
  type JobFields,
  matchWordsOf,
  type NamedBy,
  orderOf,
  sitesOf,
} from "./job-order.ts";

/** Label and example of the field for sites, for each way to select them. */
const SITES_FIELD: Record<NamedBy, { label: string; example: string }> = {
  all: { label: "", example: "" },
  labels: { label: "Labels of the sites", example: "region=west,tier!=test" },
  ids: { label: "Names of the sites", example: "restaurant-0*, till-7" },
};

/** The form for asking many sites. It shows the number of matching sites as one types. */
export class NewJobForm {
  readonly #form = byId("new-job", HTMLFormElement);
  readonly #toggle = byId("new-job-toggle", HTMLButtonElement);
  readonly #sites = byId("new-job-sites", HTMLInputElement);
  readonly #submit = byId("new-job-submit", HTMLButtonElement);
  #known: readonly Site[] = [];
  /** The last request, which may have succeeded, and its key; null: none. */
  #asked: { text: string; key: string } | null = null;

  /** @param onAsk called with the job and its Idempotency-Key; @returns whether it was made */
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

  /** @param sites that are known */
  render(sites: readonly Site[]): void {
    this.#known = sites;
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
    const { label, example } = SITES_FIELD[fields.by];
    this.#sites.hidden = fields.by === "all";
    this.#sites.disabled = fields.by === "all";
    this.#sites.ariaLabel = label;
    this.#sites.placeholder = example;
    const clients = this.#known.map(({ client }) => client);
    const { words, isWrong, total } = matchWordsOf(fields, clients);
    const match = byId("new-job-match", HTMLElement);
    setText(match, words);
    match.classList.toggle("bad", isWrong);
    match.classList.toggle("none", total === 0);
    this.#sites.ariaInvalid = String(isWrong);
    // Keeps the form from being sent while it is wrong. The problem is shown below the field, not in the
    // browser's bubble.
    this.#sites.setCustomValidity(isWrong ? words : "");
    setText(this.#submit, total === null || total === 0 ? "Ask" : `Ask ${sitesOf(total)}`);
    byId("new-job-expires", HTMLInputElement).required = fields.isContinuous;
    byId("new-job-rate", HTMLInputElement).setCustomValidity(flawOfRate(fields.rate));
  }

  #fields(): JobFields {
    const form = new FormData(this.#form);
    const text = (name: string) => String(form.get(name) ?? "");
    const by = text("by");
    return {
      by: by === "labels" || by === "ids" ? by : "all",
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
      isSkipping: form.has("skip"),
    };
  }

  /**
   * The Idempotency-Key: the same for an unchanged request, so that nothing is made twice if an answer was
   * lost.
   */
  #keyOf(order: NewJob): string {
    const text = JSON.stringify(order);
    if (this.#asked?.text !== text) this.#asked = { text, key: newKey() };
    return this.#asked.key;
  }

  async #ask(): Promise<void> {
    const order = orderOf(this.#fields());
    // A second click during the request would ask everybody twice.
    if (order === null || this.#submit.ariaDisabled === "true") return;
    this.#submit.ariaDisabled = "true";
    const isMade = await this.onAsk(order, this.#keyOf(order));
    this.#submit.ariaDisabled = "false";
    if (!isMade) return;
    this.#asked = null;
    this.#form.reset();
    this.#show(false);
  }
}

/** A new unique key. `randomUUID` only exists on pages with TLS. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
