import { byId, find, setText } from "../dom.ts";
import { formatCount } from "../format.ts";
import type { DeliveryBook } from "./delivery-book.ts";
import { DeliveryGrid } from "./delivery-grid.ts";
import { timeWords, owesFiles, summaryOf, WORST_FIRST, worstOf } from "./delivery-words.ts";
import { showLegend } from "./legend.ts";

/** Highest number of sites in one request for missing and partial deliveries. */
const MAX_ASKED = 1_000;

/** How much of a schedule's board is loaded, and what the person may do there. */
export interface BoardState {
  isLoaded: boolean;
  hasOlder: boolean;
  /** Highest number of scheduled times that are shown, one in each column. */
  maxTimes: number;
  /** Whether the signed-in token may request missing deliveries again. */
  mayAsk: boolean;
}

export interface DeliveriesListener {
  onOpen(localTime: string, clientId: string): void;
  /** Called to request the deliveries of sites again. @param localTime the scheduled local time */
  onAsk(clientIds: string[], localTime: string): void;
  onOlder(): void;
  onClose(): void;
}

/** The board of one schedule: which site has delivered at which time, and whose deliveries are missing. */
export class DeliveriesView {
  readonly #panel = byId("deliveries", HTMLElement);
  readonly #onlyOwing = byId("deliveries-owing", HTMLInputElement);
  readonly #ask = byId("deliveries-ask", HTMLButtonElement);
  readonly #grid: DeliveryGrid;
  #name: string | null = null;
  #state: BoardState = { isLoaded: false, hasOlder: false, maxTimes: 0, mayAsk: false };

  constructor(
    private readonly book: DeliveryBook,
    listener: DeliveriesListener,
  ) {
    this.#grid = new DeliveryGrid(book, (localTime, clientId) =>
      listener.onOpen(localTime, clientId),
    );
    this.#onlyOwing.addEventListener("change", () => this.#render());
    byId("deliveries-older", HTMLButtonElement).addEventListener("click", () => listener.onOlder());
    byId("deliveries-close", HTMLButtonElement).addEventListener("click", () => listener.onClose());
    this.#ask.addEventListener("click", () => {
      const localTime = this.#mainTime();
      if (localTime !== null)
        listener.onAsk(book.sitesOwing(localTime).slice(0, MAX_ASKED), localTime);
    });
  }

  /** Draws the board. @param name name of the schedule; null hides the board */
  render(name: string | null, state: BoardState): void {
    if (name !== this.#name) this.#onlyOwing.checked = false;
    this.#name = name;
    this.#state = state;
    this.#panel.hidden = name === null;
    if (name !== null) this.#render();
  }

  focusGrid(): void {
    this.#grid.focus();
  }

  #mainTime(): string | null {
    return this.book.mainTime(this.book.newestTimes(this.#state.maxTimes));
  }

  #render(): void {
    const name = this.#name ?? "";
    const { isLoaded, hasOlder, maxTimes } = this.#state;
    const localTimes = this.book.newestTimes(maxTimes);
    setText(find(this.#panel, "h2", HTMLElement), name);
    const all = this.book.rowsOf(localTimes);
    const owing = all.filter(({ owed }) => owed > 0);
    const rows = this.#onlyOwing.checked ? owing : all;
    setText(byId("deliveries-owing-count", HTMLElement), `(${formatCount(owing.length)})`);
    this.#renderSums();
    // The scrolling element is shown before its rows are drawn, as its height decides how many rows fit.
    byId("deliveries-scroll", HTMLElement).hidden = rows.length === 0;
    this.#grid.render(`Deliveries of ${name}, sites by times`, rows, localTimes);
    byId("deliveries-bar", HTMLElement).hidden = all.length === 0;
    byId("deliveries-older", HTMLButtonElement).hidden = !hasOlder;
    const empty = byId("deliveries-empty", HTMLElement);
    empty.hidden = rows.length > 0;
    const emptyText =
      all.length > 0
        ? "Nobody owes anything."
        : "Nothing was expected yet: it begins at its next time, or when you run it now.";
    setText(empty, isLoaded ? emptyText : "Loading…");
  }

  #renderSums(): void {
    const localTime = this.#mainTime();
    const sums = byId("deliveries-sums", HTMLElement);
    const counts = localTime === null ? null : this.book.countsOf(localTime);
    sums.dataset["worst"] = (counts && worstOf(counts)) ?? "none";
    setText(find(sums, "strong", HTMLElement), counts ? summaryOf(counts) : "");
    setText(find(sums, "span", HTMLElement), localTime === null ? "" : timeWords(localTime));
    const owed = counts
      ? WORST_FIRST.filter(owesFiles).reduce((sum, status) => sum + counts[status], 0)
      : 0;
    this.#ask.hidden = owed === 0 || !this.#state.mayAsk;
    const asked = formatCount(Math.min(owed, MAX_ASKED));
    setText(this.#ask, owed === 1 ? "Ask it again" : `Ask these ${asked} again`);
    showLegend(byId("deliveries-legend", HTMLElement));
  }
}
