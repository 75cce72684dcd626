import { hasEnded } from "../api/has-ended.ts";
import type { DownloadRecord, NewDownload, SessionEnd } from "../api/schemas.ts";
import { AddSite } from "./add-site.ts";
import { api, ApiProblem, contentPath, requireContent } from "./api.ts";
import { Board } from "./board.ts";
import { copyText } from "./clipboard.ts";
import { ConnectionView } from "./connection-view.ts";
import { byId, find, moveFocusTo } from "./dom.ts";
import { DownloadsView, type RowAction } from "./downloads-view.ts";
import { Feed } from "./feed.ts";
import { FolderBrowser } from "./files/folder-browser.ts";
import { SetFiles } from "./files/set-files.ts";
import { Filters } from "./filters.ts";
import { JobsPanel } from "./jobs/jobs-panel.ts";
import { RemoveDialog } from "./keep/remove-dialog.ts";
import { areSame, Listing } from "./listing.ts";
import { LabelEditor } from "./labels/label-editor.ts";
import { notify, notifyFailure } from "./notices.ts";
import { reloadToSignIn, SignInForm, takeCode } from "./sign-in.ts";
import { SchedulesPanel } from "./schedules/schedules-panel.ts";
import { SitesView } from "./sites-view.ts";
import { StartForm } from "./start-form.ts";
import { midnight, TotalsView } from "./totals-view.ts";
import { WebhooksSheet } from "./webhooks/webhooks-sheet.ts";

/** Time between two updates of totals, schedules and texts such as "5 min. ago", in ms. */
const REFRESH_EVERY_MS = 15_000;

/** Time, in ms, from the first event that is not drawn yet until the page is drawn. */
const RENDER_DELAY_MS = 100;

/** Time from the end of a download, or a gap in the list, until totals and lists are loaded again, in ms. */
const REFRESH_DELAY_MS = 1_000;

/** The page: creates its parts, such as the list of sites, and passes events from each to the others. */
class App {
  readonly #board = new Board();
  readonly #connection = new ConnectionView();
  readonly #filters = new Filters(() => this.#filtersChanged());
  readonly #listing = new Listing((query) => api.downloads(query), this.#filters.listFilter);
  readonly #sites = new SitesView({
    onChoose: (site) => this.#chooseSite(site),
    onPull: (clientId) => this.#startForm.prepare(clientId),
    onShowAll: () => this.#filters.change({ onlyOffline: false }),
    onEditLabels: (client, row) => this.#labelEditor.open(client, row),
  });
  readonly #labelEditor = new LabelEditor((clientId, change) =>
    this.#run(async () => this.#board.setClient(await api.changeClient(clientId, change))),
  );
  readonly #addSite = new AddSite((work) => void this.#run(work));
  readonly #downloads = new DownloadsView(this.#listing, this.#board, {
    onAction: (action, download, row) => this.#runOnce(action, download, row),
  });
  readonly #jobs = new JobsPanel((work) => this.#run(work));
  readonly #schedules = new SchedulesPanel({
    run: (work) => this.#run(work),
    onChange: () => this.#renderSoon(),
    onChoose: (schedule) => this.#filters.change({ schedule }),
  });
  readonly #totals = new TotalsView(this.#board);
  readonly #signIn = new SignInForm(() => void this.start());
  readonly #setFiles = new SetFiles();
  readonly #removeDialog = new RemoveDialog();
  readonly #folderBrowser = new FolderBrowser((download) => this.#run(() => this.#pull(download)));
  readonly #startForm = new StartForm(
    async (download) => void (await this.#run(() => this.#pull(download))),
    (clientId) => this.#folderBrowser.show(clientId),
  );
  readonly #feed = new Feed({
    onLive: () => this.#connected(),
    onPaused: () => this.#connection.show("paused"),
    onLost: () => this.#connection.show("lost"),
    onRefused: (problem) => {
      if (problem.status === 401) void this.start();
      else this.#connection.show("lost", problem.message);
    },
    onDownload: (download) => this.#update(download),
    onClient: (client) => {
      this.#board.setClient(client);
      this.#renderSoon();
    },
    onJob: (job) => {
      this.#jobs.set(job);
      this.#schedules.setJob(job);
      this.#renderSoon();
    },
  });
  #isOpen = false;
  /** Time at which the session expires, ISO 8601; null if it never does. */
  #expiresAt: string | null = null;
  /** True once the server has sent all sites. Until then, an empty list may mean that they are not loaded. */
  #areSitesLoaded = false;
  #renderTimer: ReturnType<typeof setTimeout> | undefined;
  #refreshTimer: ReturnType<typeof setTimeout> | undefined;
  /** True if the list of downloads may lack rows at its end, and has to be loaded again. */
  #hasGap = false;
  /** Keys of running actions, such as `cancel <download_id>`. A click that repeats one of them is ignored. */
  readonly #runningActions = new Set<string>();

  constructor() {
    void new WebhooksSheet();
    for (const direction of ["newest", "newer", "older"] as const) {
      byId(direction, HTMLButtonElement).addEventListener("click", () => this.#turnPage(direction));
    }
    byId("sign-out", HTMLButtonElement).addEventListener("click", () =>
      this.#run(() => this.#signOut()),
    );
    for (const link of document.querySelectorAll<HTMLAnchorElement>("a.total")) {
      link.addEventListener("click", () => {
        moveFocusTo(link.hash.includes("sites=") ? "sites-panel" : "downloads");
      });
    }
    addEventListener("hashchange", () => void this.start());
    setInterval(() => {
      if (this.#isOpen) this.#refresh();
    }, REFRESH_EVERY_MS);
  }

  /** Shows the page if the browser is signed in, otherwise the sign-in form. */
  async start(): Promise<void> {
    const session = await api.session().catch(() => null);
    if (session === null) {
      this.#connection.show("lost");
      setTimeout(() => void this.start(), REFRESH_DELAY_MS);
      return;
    }
    if (!session.signed_in) return this.#showSignIn(session.ended);
    takeCode();
    this.#expiresAt = session.expires_at;
    // The CSS hides buttons for actions that this role may not do. The server refuses these actions anyway.
    document.body.dataset["role"] = session.role ?? "";
    byId("sign-out", HTMLButtonElement).hidden = !session.required;
    this.#addSite.needsKey = session.required;
    byId("board", HTMLElement).hidden = false;
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#filtersChanged();
    this.#feed.open();
  }

  /** Shows the sign-in form. @param ended why the browser's session ended; null without a session cookie */
  async #showSignIn(ended: SessionEnd | null): Promise<void> {
    if (this.#isOpen) {
      const hasExpired = this.#expiresAt !== null && Date.parse(this.#expiresAt) <= Date.now();
      return reloadToSignIn(ended ?? (hasExpired ? "expired" : "left"));
    }
    this.#connection.show("signed-out");
    await this.#signIn.show(ended);
  }

  async #signOut(): Promise<void> {
    await api.signOut();
    reloadToSignIn("left");
  }

  #connected(): void {
    this.#connection.show("live");
    this.#board.clearDownloads();
    this.#hasGap = true;
    this.#schedules.reconnected();
    this.#refresh();
    void this.#run(() => this.#jobs.refresh());
    // The server may have been updated while the connection was lost, so its version is loaded again.
    void this.#run(async () => this.#sites.setServerVersion((await api.health()).version));
  }

  #update(download: DownloadRecord): void {
    this.#board.setDownload(download, Date.now());
    this.#schedules.setDownload(download);
    if (!this.#listing.update(download)) this.#hasGap = true;
    if (hasEnded(download) || this.#hasGap) this.#refreshSoon();
    this.#renderSoon();
  }

  /** Draws the page soon, together with the changes of other events: at most ten times a second. */
  #renderSoon(): void {
    this.#renderTimer ??= setTimeout(() => this.#render(), RENDER_DELAY_MS);
  }

  #render(): void {
    clearTimeout(this.#renderTimer);
    this.#renderTimer = undefined;
    const sites = this.#board.sites();
    const { site, job, schedule, onlyOffline } = this.#filters.shown;
    this.#startForm.offer(sites);
    this.#filters.offer(sites);
    const areSitesLoaded = this.#areSitesLoaded;
    this.#sites.render(sites, { areSitesLoaded, chosen: site, onlyOffline });
    if (areSitesLoaded) this.#addSite.render(sites);
    this.#jobs.render(sites, job);
    this.#schedules.render(sites, schedule);
    this.#downloads.render();
    this.#totals.renderCounts();
  }

  #refreshSoon(): void {
    this.#refreshTimer ??= setTimeout(() => this.#refresh(), REFRESH_DELAY_MS);
  }

  /** Loads data that events do not bring: totals, schedules, and rows missing in the list of downloads. */
  #refresh(): void {
    clearTimeout(this.#refreshTimer);
    this.#refreshTimer = undefined;
    const isReloadDue = this.#hasGap;
    this.#hasGap = false;
    void this.#run(async () => {
      if (isReloadDue) await this.#listing.reload();
      this.#totals.show(await api.totals(midnight()));
      this.#areSitesLoaded = true;
      await this.#schedules.refresh();
    });
  }

  /** Runs an action, and shows its error, if any, as a notice. @returns whether it succeeded */
  async #run(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      // Status 401 means that the session has ended, so the sign-in form is shown instead of a notice.
      if (error instanceof ApiProblem && error.status === 401) await this.start();
      else notifyFailure(error);
      return false;
    } finally {
      this.#render();
    }
  }

  #filtersChanged(): void {
    if (!this.#isOpen) return;
    const filter = this.#filters.listFilter;
    if (areSame(filter, this.#listing.filter)) return this.#render();
    void this.#run(() => this.#listing.setFilter(filter));
  }

  #chooseSite(site: string | null): void {
    this.#filters.change({ site, download: null });
    if (site !== null) this.#startForm.choose(site);
    const downloads = byId("downloads", HTMLElement);
    if (downloads.getBoundingClientRect().top < 0) downloads.scrollIntoView();
  }

  #turnPage(direction: "newest" | "newer" | "older"): void {
    void this.#run(async () => {
      await this.#listing[direction]();
      byId("downloads", HTMLElement).scrollIntoView();
    });
  }

  async #pull(download: NewDownload): Promise<void> {
    const { message } = await api.start(download);
    notify("done", message);
  }

  #runOnce(action: RowAction, download: DownloadRecord, row: HTMLElement): void {
    const key = `${action} ${download.download_id}`;
    if (this.#runningActions.has(key)) return;
    this.#runningActions.add(key);
    void this.#run(() => this.#act(action, download, row)).finally(() =>
      this.#runningActions.delete(key),
    );
  }

  async #act(action: RowAction, download: DownloadRecord, row: HTMLElement): Promise<void> {
    const { download_id } = download;
    switch (action) {
      case "files":
        return this.#setFiles.show(download);
      case "cancel":
        this.#update(await api.cancel(download_id));
        return notify("done", "The download is cancelled");
      case "retry":
        return notify("done", (await api.retry(download_id)).message);
      case "copy":
        return copyText(find(row, ".digest", HTMLElement), "The checksum");
      case "hold":
      case "release":
        this.#update(await api.change(download_id, { hold: action === "hold" }));
        return notify("done", action === "hold" ? "It is held" : "It is released");
      case "remove":
        if (!(await this.#removeDialog.ask(download))) return;
        this.#update(await api.removeContent(download_id));
        return notify("done", "It is removed from the server, its record stays");
      case "save":
        // The content is checked first, as the browser would save an error response as if it were the file.
        await requireContent(download_id);
        return saveFrom(contentPath(download_id));
    }
  }
}

/** Makes the browser download a file, without leaving the page. */
function saveFrom(path: string): void {
  const link = document.createElement("a");
  link.href = path;
  link.download = "";
  link.click();
}

await new App().start();
