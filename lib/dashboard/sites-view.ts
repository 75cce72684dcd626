import type { Site } from "./board.ts";
import { arrange, byId, cloneOf, find, setText } from "./dom.ts";
import { formatAgo, formatRate } from "./format.ts";

export interface SitesListener {
  /** Show the downloads of a site; null: of all. */
  onChoose(clientId: string | null): void;
  /** Begin a download of a site. */
  onPull(clientId: string): void;
}

/** The sites, and what each is doing. */
export class SitesView {
  readonly #list = byId("sites", HTMLUListElement);
  readonly #search = byId("sites-search", HTMLInputElement);
  readonly #rows = new Map<string, HTMLElement>();
  #sites: Site[] = [];
  #chosen: string | null = null;

  constructor(private readonly listener: SitesListener) {
    this.#search.addEventListener("input", () => this.render(this.#sites));
    this.#list.addEventListener("click", ({ target }) => {
      if (!(target instanceof Element)) return;
      const clientId = target.closest<HTMLElement>(".site")?.dataset["clientId"];
      if (clientId === undefined) return;
      if (target.closest(".pull")) this.listener.onPull(clientId);
      else if (target.closest(".site-name")) {
        this.listener.onChoose(clientId === this.#chosen ? null : clientId);
      }
    });
  }

  /** Marks the site whose downloads are shown; null: none. */
  choose(clientId: string | null): void {
    this.#chosen = clientId;
    this.render(this.#sites);
  }

  /** @param sites in the order to show */
  render(sites: Site[]): void {
    this.#sites = sites;
    const wanted = this.#search.value.trim().toLowerCase();
    const shown = sites.filter(({ client }) => client.client_id.toLowerCase().includes(wanted));
    const now = Date.now();
    arrange(
      this.#list,
      shown.map((site) => this.#row(site, now)),
    );
    const online = sites.filter(({ client }) => client.connected).length;
    setText(byId("sites-count", HTMLElement), `${online} of ${sites.length} online`);
    const empty = byId("sites-empty", HTMLElement);
    empty.hidden = shown.length > 0;
    setText(
      empty,
      sites.length === 0
        ? "No site has registered yet: start a client with its --server set to this address."
        : "No site has this in its name.",
    );
  }

  #row(site: Site, now: number): HTMLElement {
    const { client_id, connected, last_seen_at, revoked_at } = site.client;
    const row = this.#rows.get(client_id) ?? this.#newRow(client_id);
    row.classList.toggle("online", connected);
    setText(find(row, ".state", HTMLElement), connected ? "online" : "offline");
    const name = find(row, ".site-name", HTMLButtonElement);
    name.ariaPressed = String(client_id === this.#chosen);
    setText(find(row, ".doing", HTMLElement), doingOf(site));
    const seen = last_seen_at === null ? "never seen" : `seen ${formatAgo(last_seen_at, now)}`;
    const away = `${revoked_at === null ? "Offline" : "Revoked"}, ${seen}`;
    setText(find(row, ".about", HTMLElement), connected ? aboutOf(site) : away);
    return row;
  }

  #newRow(clientId: string): HTMLElement {
    const row = cloneOf("site-row");
    row.dataset["clientId"] = clientId;
    setText(find(row, ".name", HTMLElement), clientId);
    find(row, ".pull", HTMLElement).ariaLabel = `Pull a file from ${clientId}`;
    this.#rows.set(clientId, row);
    return row;
  }
}

function aboutOf({ client }: Site): string {
  const { version, platform, hostname } = client;
  return [version && `v${version}`, hostname, platform].filter(Boolean).join(" · ");
}

function doingOf({ active, queued }: Site): string {
  const rate = active.reduce((sum, download) => sum + (download.bytes_per_second ?? 0), 0);
  const sending = active.map(({ percent }) => `${Math.floor(percent ?? 0)} %`).join(", ");
  return [
    ...(active.length > 0 ? [`Sending ${sending} · ${formatRate(rate)}`] : []),
    ...(queued > 0 ? [`${queued} waiting`] : []),
  ].join(" · ");
}
