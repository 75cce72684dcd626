import { digestOf } from "../api/checksums.ts";
import type { DownloadRecord, DownloadStatus } from "../api/schemas.ts";
import { api, ApiProblem } from "./api.ts";
import { Board, hasEnded } from "./board.ts";
import { byId, find, setText } from "./dom.ts";
import { DownloadsView, type RowAction } from "./downloads-view.ts";
import { Feed } from "./feed.ts";
import { type Filter, Listing } from "./listing.ts";
import { notify, notifyFailure } from "./notices.ts";
import { SignInForm, takeCode } from "./sign-in.ts";
import { offerSites } from "./site-choice.ts";
import { SitesView } from "./sites-view.ts";
import { midnight, TotalsView } from "./totals-view.ts";

/** How often the words for how long ago something was are written anew, in ms. */
const CLOCK_MS = 15_000;

/** Between two drawings of what events tell, in ms. */
const RENDER_MS = 100;

/** Between a change and the look at what has to be counted or filled up after it, in ms. */
const SETTLE_MS = 1_000;

/** The file that the form proposes. */
const USUAL_FILE = "file_to_download.txt";

const WORDS = {
  connecting: "Connecting…",
  live: "Live",
  lost: "Reconnecting…",
  "signed-out": "Signed out",
};

/** The page: puts its parts together, and passes on what happens in one to the others. */
class App {
  readonly #board = new Board();
  readonly #listing = new Listing((query) => api.downloads(query));
  readonly #sites = new SitesView({
    onChoose: (clientId) => this.#chooseSite(clientId ?? ""),
    onPull: (clientId) => this.#prepareStart(clientId),
  });
  readonly #downloads = new DownloadsView(this.#listing, this.#board, (action, download) => {
    this.#run(() => this.#act(action, download));
  });
  readonly #totals = new TotalsView(this.#board);
  readonly #signIn = new SignInForm(() => void this.start());
  readonly #feed = new Feed({
    onLive: () => this.#live(),
    onLost: () => this.#lost(),
    onRefused: () => void this.start(),
    onDownload: (download) => this.#update(download),
    onClient: (client) => {
      this.#board.setClient(client);
      this.#renderSoon();
    },
  });
  readonly #filterForm = byId("filters", HTMLFormElement);
  readonly #filterSite = byId("filter-site", HTMLSelectElement);
  readonly #startSite = byId("start-site", HTMLSelectElement);
  readonly #startPath = byId("start-path", HTMLInputElement);
  #isOpen = false;
  #lostSince: Date | null = null;
  #rendering: ReturnType<typeof setTimeout> | undefined;
  #settling: ReturnType<typeof setTimeout> | undefined;
  /** True where the page of downloads has a gap that the server has to fill. */
  #hasGap = false;

  constructor() {
    this.#startPath.value = USUAL_FILE;
    byId("start-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#run(() => this.#startDownload());
    });
    this.#filterForm.addEventListener("submit", (event) => event.preventDefault());
    this.#filterForm.addEventListener("change", () => this.#applyFilter());
    byId("older", HTMLButtonElement).addEventListener("click", () => this.#turn("older"));
    byId("newer", HTMLButtonElement).addEventListener("click", () => this.#turn("newer"));
    byId("sign-out", HTMLButtonElement).addEventListener("click", () =>
      this.#run(() => this.#signOut()),
    );
    addEventListener("hashchange", () => void this.start());
    setInterval(() => {
      if (this.#isOpen) this.#settle();
    }, CLOCK_MS);
  }

  /** Shows the board, or asks who is there. */
  async start(): Promise<void> {
    const session = await api.session().catch(() => null);
    if (session === null) {
      setTimeout(() => void this.start(), SETTLE_MS);
      return;
    }
    if (!session.signed_in) return this.#showSignIn();
    takeCode();
    // The style leaves out what this role may not do; the server would refuse it.
    document.body.dataset["role"] = session.role ?? "";
    byId("sign-out", HTMLButtonElement).hidden = !session.required;
    byId("board", HTMLElement).hidden = false;
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#feed.open();
  }

  async #showSignIn(): Promise<void> {
    // A fresh page holds nothing that the next person should not see.
    if (this.#isOpen) return location.reload();
    this.#showConnection("signed-out");
    await this.#signIn.show();
  }

  async #signOut(): Promise<void> {
    await api.signOut();
    await this.#showSignIn();
  }

  #live(): void {
    this.#lostSince = null;
    this.#showConnection("live");
    this.#board.clearDownloads();
    this.#hasGap = true;
    this.#settle();
  }

  #lost(): void {
    this.#lostSince ??= new Date();
    this.#showConnection("lost");
  }

  #showConnection(state: keyof typeof WORDS): void {
    const connection = byId("connection", HTMLElement);
    connection.dataset["state"] = state;
    setText(connection, WORDS[state]);
    const banner = byId("lost", HTMLElement);
    banner.hidden = state !== "lost";
    setText(find(banner, "time", HTMLTimeElement), this.#lostSince?.toLocaleTimeString() ?? "");
  }

  #update(download: DownloadRecord): void {
    this.#board.setDownload(download);
    if (!this.#listing.update(download)) this.#hasGap = true;
    if (hasEnded(download) || this.#hasGap) this.#settleSoon();
    this.#renderSoon();
  }

  /** However many events come, the page is drawn a few times a second. */
  #renderSoon(): void {
    this.#rendering ??= setTimeout(() => this.#render(), RENDER_MS);
  }

  #render(): void {
    clearTimeout(this.#rendering);
    this.#rendering = undefined;
    const sites = this.#board.sites();
    offerSites(this.#startSite, sites, null);
    offerSites(this.#filterSite, sites, "All sites");
    this.#sites.render(sites);
    this.#downloads.render();
    this.#totals.renderCounts();
  }

  #settleSoon(): void {
    this.#settling ??= setTimeout(() => this.#settle(), SETTLE_MS);
  }

  /** Asks the server for what events do not tell. */
  #settle(): void {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    const isReloadDue = this.#hasGap;
    this.#hasGap = false;
    this.#run(async () => {
      if (isReloadDue) await this.#listing.reload();
      this.#totals.show(await api.totals(midnight()));
    });
  }

  /** Does something that takes a moment, and shows what came of it. */
  #run(work: () => Promise<void>): void {
    work()
      .finally(() => this.#render())
      .catch((error: unknown) => {
        // The session has ended: the form that begins another says more than a notice.
        if (error instanceof ApiProblem && error.status === 401) return this.start();
        notifyFailure(error);
      });
  }

  #applyFilter(): void {
    const status = new FormData(this.#filterForm).get("status");
    const clientId = this.#filterSite.value;
    const filter: Filter = {
      ...(status && { status: status as DownloadStatus }),
      ...(clientId && { clientId }),
    };
    this.#sites.choose(clientId || null);
    this.#run(() => this.#listing.setFilter(filter));
  }

  #chooseSite(clientId: string): void {
    this.#filterSite.value = clientId;
    if (clientId) this.#startSite.value = clientId;
    this.#applyFilter();
    const downloads = byId("downloads", HTMLElement);
    if (downloads.getBoundingClientRect().top < 0) downloads.scrollIntoView();
  }

  #prepareStart(clientId: string): void {
    this.#startSite.value = clientId;
    this.#startPath.focus();
    this.#startPath.select();
  }

  #turn(direction: "older" | "newer"): void {
    this.#run(async () => {
      await this.#listing[direction]();
      byId("downloads", HTMLElement).scrollIntoView();
    });
  }

  async #startDownload(): Promise<void> {
    const { message } = await api.start({
      client_id: this.#startSite.value,
      file_path: this.#startPath.value,
    });
    notify("done", message);
  }

  async #act(action: RowAction, download: DownloadRecord): Promise<void> {
    const { download_id } = download;
    switch (action) {
      case "cancel":
        this.#update(await api.cancel(download_id));
        return notify("done", "The download is cancelled");
      case "retry":
        return notify("done", (await api.retry(download_id)).message);
      case "copy":
        return this.#copy(download_id, digestOf(download) ?? "");
    }
  }

  async #copy(downloadId: string, digest: string): Promise<void> {
    // Browsers give the clipboard to pages of https and of this machine alone.
    if (!isSecureContext) {
      this.#downloads.markDigest(downloadId);
      return notify("done", "The checksum is marked, copy it with Ctrl-C");
    }
    await navigator.clipboard.writeText(digest);
    notify("done", "The checksum is copied");
  }
}

await new App().start();
