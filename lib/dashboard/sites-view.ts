import type { ClientRecord } from "../api/schemas.ts";
import { isOlder } from "../util/version-order.ts";
import type { Site } from "./board.ts";
import { arrange, byId, cloneOf, find, keepingFocus, setText } from "./dom.ts";
import { formatWhen, formatCount, formatRate, visible } from "./format.ts";
import { showLabels } from "./labels/label-editor.ts";
import { showSite } from "./long-names.ts";

/** Highest number of sites that are drawn. A search by name finds the others. */
const MAX_SHOWN = 250;

export interface SitesListener {
  /** Called to show only the downloads of a site; null shows those of all sites. */
  onChoose(clientId: string | null): void;
  /** Called to fill in the form for a download from a site. */
  onPull(clientId: string): void;
  /** Called to show connected sites, too, instead of only those that are offline. */
  onShowAll(): void;
  /** Called to edit the labels of a site. @param row the element of the site's row */
  onEditLabels(client: ClientRecord, row: HTMLElement): void;
}

/** Which sites the list shows, and which one is marked as chosen. */
export interface SiteFilter {
  /** True once the server has sent all sites. Until then, an empty list may mean that they are not loaded. */
  areSitesLoaded: boolean;
  /** Client id of the only site whose downloads are shown; null if the downloads of all sites are shown. */
  chosen: string | null;
  onlyOffline: boolean;
}

/** The list of sites, with the state and the present downloads of each. */
export class SitesView {
  readonly #list = byId("sites", HTMLUListElement);
  readonly #search = byId("sites-search", HTMLInputElement);
  readonly #rows = new Map<string, HTMLElement>();
  #sites: Site[] = [];
  /** Version of the server; null until it is loaded. */
  #serverVersion: string | null = null;
  #filter: SiteFilter = { areSitesLoaded: false, chosen: null, onlyOffline: false };

  constructor(private readonly listener: SitesListener) {
    this.#search.addEventListener("input", () => this.render(this.#sites, this.#filter));
    byId("sites-all", HTMLButtonElement).addEventListener("click", () => {
      this.listener.onShowAll();
      // The click hides its own button, so the panel takes the focus.
      byId("sites-panel", HTMLElement).focus();
    });
    this.#list.addEventListener("click", ({ target }) => {
      if (!(target instanceof Element)) return;
      const row = target.closest<HTMLElement>(".site");
      const clientId = row?.dataset["clientId"];
      if (!row || clientId === undefined) return;
      if (target.closest(".edit-labels")) this.#editLabels(clientId, row);
      else if (target.closest(".pull")) this.listener.onPull(clientId);
      else if (target.closest(".site-name")) {
        this.listener.onChoose(clientId === this.#filter.chosen ? null : clientId);
      }
    });
  }

  /** Draws the list. @param sites all sites, in the order to show */
  render(sites: Site[], filter: SiteFilter): void {
    this.#sites = sites;
    this.#filter = filter;
    const searchText = this.#search.value.trim().toLowerCase();
    const found = sites.filter(
      ({ client }) =>
        matchesSearch(client, searchText) && !(filter.onlyOffline && client.connected),
    );
    const now = Date.now();
    const rows = found.slice(0, MAX_SHOWN).map((site) => this.#row(site, now));
    keepingFocus(() => arrange(this.#list, rows));
    this.#list.hidden = found.length === 0;
    this.#renderCounts(sites, found.length);
  }

  /** Marks sites whose client is older than the server. @param serverVersion such as `1.10.0` */
  setServerVersion(serverVersion: string): void {
    this.#serverVersion = serverVersion;
    this.render(this.#sites, this.#filter);
  }

  #editLabels(clientId: string, row: HTMLElement): void {
    const site = this.#sites.find(({ client }) => client.client_id === clientId);
    if (site) this.listener.onEditLabels(site.client, row);
  }

  #renderCounts(sites: Site[], found: number): void {
    const { onlyOffline, areSitesLoaded } = this.#filter;
    const online = sites.filter(({ client }) => client.connected).length;
    const [all, offline] = [sites.length, sites.length - online].map(formatCount);
    const count = onlyOffline
      ? `${offline} of ${all} offline`
      : `${formatCount(online)} of ${all} online`;
    setText(byId("sites-count", HTMLElement), sites.length === 0 ? "" : count);
    byId("sites-all", HTMLElement).hidden = !onlyOffline;
    this.#search.hidden = sites.length === 0;
    const more = byId("sites-more", HTMLElement);
    more.hidden = found <= MAX_SHOWN;
    setText(more, `${formatCount(found - MAX_SHOWN)} more, find them by their name`);
    const empty = byId("sites-empty", HTMLElement);
    empty.hidden = areSitesLoaded ? found > 0 || sites.length === 0 : sites.length > 0;
    const emptyText =
      this.#search.value.trim() === ""
        ? "Every site is online."
        : "No site has this in its name or labels.";
    setText(empty, areSitesLoaded ? emptyText : "Loading…");
  }

  #row(site: Site, now: number): HTMLElement {
    const { client_id, connected, last_seen_at, revoked_at, problem, version } = site.client;
    const row = this.#rows.get(client_id) ?? this.#newRow(client_id);
    row.classList.toggle("online", connected);
    setText(find(row, ".state", HTMLElement), connected ? "online" : "offline");
    const name = find(row, ".site-name", HTMLButtonElement);
    name.ariaPressed = String(client_id === this.#filter.chosen);
    setText(find(row, ".doing", HTMLElement), activityOf(site));
    showLabels(row, site.client);
    const seen = last_seen_at === null ? "never seen" : `seen ${formatWhen(last_seen_at, now)}`;
    const offlineText = `${revoked_at === null ? "Offline" : "Revoked"}, ${seen}`;
    const about = find(row, ".about", HTMLElement);
    const isOutdated = connected && isOlder(version ?? "", this.#serverVersion ?? "");
    about.classList.toggle("problem", problem !== null);
    about.classList.toggle("outdated", problem === null && isOutdated);
    const stateText = connected ? aboutOf(site, isOutdated) : offlineText;
    setText(about, problem === null ? stateText : visible(problem));
    return row;
  }

  #newRow(clientId: string): HTMLElement {
    const row = cloneOf("site-row");
    row.dataset["clientId"] = clientId;
    showSite(find(row, ".name", HTMLElement), clientId);
    find(row, ".pull", HTMLElement).ariaLabel = `Pull a file from ${clientId}`;
    find(row, ".edit-labels", HTMLElement).ariaLabel = `Edit the labels of ${clientId}`;
    this.#rows.set(clientId, row);
    return row;
  }
}

/**
 * Reports whether a site matches the search text.
 * @param searchText part of its name or labels, in lower case
 */
function matchesSearch({ client_id, labels }: ClientRecord, searchText: string): boolean {
  if (client_id.toLowerCase().includes(searchText)) return true;
  return Object.entries(labels).some(([key, value]) =>
    `${key}=${value}`.toLowerCase().includes(searchText),
  );
}

function aboutOf({ client }: Site, isOutdated: boolean): string {
  const { version, platform, hostname } = client;
  const age = isOutdated ? ", older than the server" : "";
  const about = [version && `v${version}${age}`, hostname, platform].filter(Boolean).join(" · ");
  return visible(about);
}

function activityOf({ active, queued }: Site): string {
  const rate = active.reduce((sum, download) => sum + (download.bytes_per_second ?? 0), 0);
  const sending = active.map(({ percent }) => `${Math.floor(percent ?? 0)} %`).join(", ");
  return [
    ...(active.length > 0 ? [`Sending ${sending} · ${formatRate(rate)}`] : []),
    ...(queued > 0 ? [`${formatCount(queued)} queued`] : []),
  ].join(" · ");
}
