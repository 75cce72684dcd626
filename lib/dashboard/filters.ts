import { fragmentOf, NO_FILTERS, type PageFilters, readFragment } from "./address.ts";
import type { Site } from "./board.ts";
import { byId, find } from "./dom.ts";
import { offerSites } from "./site-choice.ts";
import type { Filter } from "./listing.ts";
import { isStatus } from "./status.ts";

/** The filters of the page. They are kept in the page's URL, and changed by the form above the downloads. */
export class Filters {
  readonly #form = byId("filters", HTMLFormElement);
  readonly #site = byId("filter-site", HTMLSelectElement);
  readonly #onlyOpen = byId("filter-open", HTMLInputElement);
  #shown: Readonly<PageFilters> = readFragment(location.hash) ?? NO_FILTERS;
  #sites: Site[] = [];

  /** @param onChange called after each change of the filters */
  constructor(private readonly onChange: () => void) {
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("change", () => this.#applyForm());
    addEventListener("hashchange", () => this.#applyFragment());
    this.#render();
  }

  get shown(): Readonly<PageFilters> {
    return this.#shown;
  }

  /** The part of the filters that applies to the list of downloads. */
  get listFilter(): Filter {
    const { status, onlyOpen, site, job, download } = this.#shown;
    if (download !== null) return { downloadId: download };
    return {
      ...(status && { status }),
      ...(onlyOpen && { open: true }),
      ...(site !== null && { clientId: site }),
      ...(job !== null && { jobId: job }),
    };
  }

  /** Changes some of the filters, and the page's URL with them. */
  change(change: Partial<PageFilters>): void {
    const hash = fragmentOf({ ...this.#shown, ...change });
    history.pushState(null, "", hash === "#" ? location.pathname : hash);
    this.#applyFragment();
  }

  /** Sets the sites that the form offers to filter by. */
  offer(sites: Site[]): void {
    this.#sites = sites;
    offerSites(this.#site, sites, { noneLabel: "All sites", chosen: this.#shown.site });
  }

  #applyForm(): void {
    const status = String(new FormData(this.#form).get("status"));
    this.change({
      status: isStatus(status) ? status : null,
      onlyOpen: this.#onlyOpen.checked,
      site: this.#site.value || null,
      download: null,
    });
  }

  #applyFragment(): void {
    const shown = readFragment(location.hash);
    if (!shown) return;
    this.#shown = shown;
    this.#render();
    this.onChange();
  }

  #render(): void {
    for (const radio of this.#form.querySelectorAll<HTMLInputElement>("input[name=status]")) {
      radio.checked = radio.value === (this.#shown.status ?? "");
    }
    this.#onlyOpen.checked = this.#shown.onlyOpen;
    find(this.#form, ".open", HTMLElement).hidden = this.#shown.status !== "failed";
    byId("one-download", HTMLElement).hidden = this.#shown.download === null;
    this.offer(this.#sites);
    this.#site.value = this.#shown.site ?? "";
  }
}
