import type { JobRecord } from "../../api/jobs.ts";
import type { DeliveryRecord } from "../../api/deliveries.ts";
import type { ScheduleRecord } from "../../api/schedules.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { fragmentOf, NO_FILTERS } from "../address.ts";
import { api, ApiProblem } from "../api.ts";
import type { Site } from "../board.ts";
import { byId, setText } from "../dom.ts";
import { formatCount, visible } from "../format.ts";
import { formatSiteCount } from "../jobs/job-order.ts";
import type { Run } from "../jobs/jobs-panel.ts";
import { notify, notifyFailure } from "../notices.ts";
import { DeliveriesView } from "./deliveries-view.ts";
import { DeliveryBook } from "./delivery-book.ts";
import { DeliveryLoader } from "./delivery-loader.ts";
import { DeliverySheet } from "./delivery-sheet.ts";
import { timeWords } from "./delivery-words.ts";
import { ScheduleForm } from "./schedule-form.ts";
import { type ScheduleAction, ScheduleList } from "./schedule-list.ts";

/** Number of a schedule's next times that are shown for each time zone. */
const TIMES_AHEAD = 3;

/** Pause before the list of schedules is loaded again, as a multiple of how long its last load took. */
const PAUSE_FACTOR = 10;

/** Longest time from a change of the board until {@link SchedulesPanel.refresh} is called, in ms. */
const MAX_WAIT_MS = 5_000;

/** Time during which a button still ignores clicks after its request has ended, in ms. */
const IGNORE_CLICKS_MS = 1_000;

/** Key in `#runningActions` while the details of the open delivery are being updated. */
const SHEET_KEY = "sheet";

/** Shortest time between two drawings of a schedule's board while it is loading, in ms. */
const MIN_REDRAW_MS = 250;

export interface SchedulesPanelOptions {
  run: Run;
  /** Called when the page has to be drawn again. */
  onChange: () => void;
  /** Called to show the board of a schedule; null closes the board. */
  onChoose: (name: string | null) => void;
}

/** The part of the page for schedules: their list, the form, and the board of the chosen schedule. */
export class SchedulesPanel {
  readonly #book = new DeliveryBook();
  readonly #loader = new DeliveryLoader(this.#book, {
    onLoaded: (isAll) => {
      const isFirst = !this.#isBoardLoaded;
      const isDue = isAll || performance.now() - this.#drawnAt > MIN_REDRAW_MS;
      this.#isBoardLoaded = true;
      if (isAll) this.#refreshSoon();
      if (isAll) void this.#refreshSheet();
      // The first page of a newly opened board is drawn at once, without waiting for an animation frame.
      if (isFirst) this.#renderBoard();
      else if (isDue) this.#drawFrame ??= requestAnimationFrame(() => this.#renderBoard());
    },
    onFailed: notifyFailure,
  });
  readonly #view = new DeliveriesView(this.#book, {
    onOpen: (time, clientId) =>
      void this.options.run(async () => this.#showOne(await this.#loader.loadOne(time, clientId))),
    onAsk: (clientIds, time) => this.#runOnce("ask", time, () => this.#ask(clientIds, time)),
    onOlder: () => this.#loader.loadOlder(),
    onClose: () => this.options.onChoose(null),
  });
  readonly #sheet = new DeliverySheet({
    onAsk: ({ client_id, scheduled_local }) =>
      this.#runOnce("ask", `${client_id} ${scheduled_local}`, () =>
        this.#ask([client_id], scheduled_local),
      ),
    onDownload: (downloadId) => downloadOf(downloadId),
    linkTo: (download) => fragmentOf({ ...NO_FILTERS, schedule: this.#chosen, download }),
    onClose: () => this.#view.focusGrid(),
  });
  readonly #list = new ScheduleList({
    onAction: (action, schedule) =>
      this.#runOnce(action, schedule.name, () => this.#act(action, schedule)),
  });
  readonly #form = new ScheduleForm({
    onCreate: (order) =>
      this.options.run(async () => {
        this.#set(await api.createSchedule(order));
        notify("done", `${order.name} is made`);
        this.options.onChange();
        await this.#showTimes(order.name);
      }),
    onChange: (name, change) =>
      this.options.run(async () => {
        this.#set(await api.changeSchedule(name, change));
        notify("done", `${name} is changed`);
        if (this.#list.showsTimes(name)) await this.#showTimes(name);
      }),
    onPreview: (wanted, signal) => api.previewTimes(wanted, signal),
  });
  #schedules: ScheduleRecord[] = [];
  /**
   * How often actions have changed the list of schedules. If this number grows during a request for the list,
   * the response may be outdated and is dropped.
   */
  #changes = 0;
  #chosen: string | null = null;
  #isBoardLoaded = false;
  #areSchedulesLoaded = false;
  /** Id of the animation frame in which the board will be drawn; undefined if none is planned. */
  #drawFrame: number | undefined;
  /** When the board was last drawn, in ms of `performance.now()`. */
  #drawnAt = 0;
  /** The schedules are not loaded before this time, in ms of `performance.now()`; Infinity while loading. */
  #notBefore = 0;
  #refreshTimer: ReturnType<typeof setTimeout> | undefined;
  #sites = new Map<string, Site>();
  /** Keys of running actions, such as `pause <schedule>`. A click that repeats one of them is ignored. */
  readonly #runningActions = new Set<string>();

  constructor(private readonly options: SchedulesPanelOptions) {}

  /** Handles the event of a new or changed job. A new job of the shown schedule has deliveries to load. */
  setJob({ schedule, job_id }: JobRecord): void {
    if (schedule !== null && schedule === this.#chosen && !this.#book.localTimeOf(job_id)) {
      this.#loader.touchAll();
    }
  }

  /** Handles the event of a changed download, whose delivery may have changed, too. */
  setDownload({ job_id, client_id, status }: DownloadRecord): void {
    const localTime = job_id === null ? undefined : this.#book.localTimeOf(job_id);
    if (localTime === undefined) return;
    // The board shows no progress, so nothing is loaded if it shows the delivery as running already.
    const isComing = status === "downloading" || status === "verifying";
    if (isComing && this.#book.get(localTime, client_id) === "running") return;
    this.#loader.touch(localTime);
  }

  /**
   * Called after each new connection to the event stream, because events may have been missed. Loads the
   * shown board again, and lets the next {@link refresh} load the list of schedules.
   */
  reconnected(): void {
    this.#notBefore = 0;
    if (this.#chosen !== null) this.#loader.touchAll();
  }

  /** Loads the list of schedules, unless it is loading or was loaded just now. */
  async refresh(): Promise<void> {
    const began = performance.now();
    if (began < this.#notBefore) return;
    this.#notBefore = Infinity;
    const changes = this.#changes;
    try {
      const { schedules } = await api.schedules();
      if (changes === this.#changes) this.#schedules = schedules;
      this.#areSchedulesLoaded = true;
    } finally {
      const now = performance.now();
      this.#notBefore = now + PAUSE_FACTOR * (now - began);
    }
  }

  /** Plans to reload the list of schedules, which sums up deliveries, after a change of the board. */
  #refreshSoon(): void {
    if (this.#refreshTimer !== undefined) return;
    const wait = Math.max(0, Math.min(this.#notBefore - performance.now(), MAX_WAIT_MS));
    this.#refreshTimer = setTimeout(() => {
      this.#refreshTimer = undefined;
      void this.options.run(() => this.refresh());
    }, wait);
  }

  /** Draws the panel. @param chosen name of the schedule whose board is shown; null if none */
  render(sites: readonly Site[], chosen: string | null): void {
    this.#sites = new Map(sites.map((site) => [site.client.client_id, site]));
    this.#form.render(sites);
    if (chosen !== this.#chosen) {
      this.#chosen = chosen;
      this.#isBoardLoaded = false;
      this.#loader.show(chosen);
    }
    const now = Date.now();
    this.#list.render(this.#schedules, chosen, now);
    const count = this.#schedules.length;
    setText(byId("schedules-count", HTMLElement), count === 0 ? "" : formatCount(count));
    byId("schedules-empty", HTMLElement).hidden = !this.#areSchedulesLoaded || count > 0;
    this.#renderBoard();
  }

  #renderBoard(): void {
    if (this.#drawFrame !== undefined) cancelAnimationFrame(this.#drawFrame);
    this.#drawFrame = undefined;
    this.#drawnAt = performance.now();
    const { hasOlder, wantedTimes: maxTimes } = this.#loader;
    const [isLoaded, mayAsk] = [this.#isBoardLoaded, this.#mayAsk];
    this.#view.render(this.#chosen, { isLoaded, hasOlder, maxTimes, mayAsk });
  }

  /** Reloads the delivery whose details are open, if any, and shows its new state. */
  async #refreshSheet(): Promise<void> {
    const shown = this.#sheet.shown;
    if (!shown || this.#runningActions.has(SHEET_KEY)) return;
    this.#runningActions.add(SHEET_KEY);
    const { scheduled_local: time, client_id: clientId } = shown;
    await this.options.run(async () => {
      const delivery = await this.#loader.loadOne(time, clientId);
      const open = this.#sheet.shown;
      if (open?.client_id === clientId && open.scheduled_local === time) this.#showOne(delivery);
    });
    this.#runningActions.delete(SHEET_KEY);
  }

  #showOne(delivery: DeliveryRecord | null): void {
    if (!delivery) return;
    this.#sheet.show(delivery, this.#sites.get(delivery.client_id)?.client, this.#mayAsk);
  }

  /** Whether the signed-in token may run the schedule whose board is shown. */
  get #mayAsk(): boolean {
    return this.#schedules.find(({ name }) => name === this.#chosen)?.may_change ?? false;
  }

  #set(schedule: ScheduleRecord): void {
    this.#remove(schedule.name);
    this.#schedules = [...this.#schedules, schedule].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    this.#areSchedulesLoaded = true;
  }

  #remove(name: string): void {
    this.#schedules = this.#schedules.filter((other) => other.name !== name);
    this.#changes++;
  }

  #runOnce(action: string, what: string, work: () => Promise<void>): void {
    const key = `${action} ${what}`;
    if (this.#runningActions.has(key)) return;
    this.#runningActions.add(key);
    const ignoreMs = action === "run" || action === "ask" ? IGNORE_CLICKS_MS : 0;
    const done = () => void this.#runningActions.delete(key);
    void this.options.run(work).finally(() => setTimeout(done, ignoreMs));
  }

  async #ask(clientIds: string[], localTime: string): Promise<void> {
    const name = this.#chosen;
    if (name === null || clientIds.length === 0) return;
    const body = { client_ids: clientIds, scheduled_local: localTime };
    const { jobs } = await api.runSchedule(name, body);
    const [firstId = ""] = clientIds;
    const total = jobs.reduce((sum, job) => sum + job.total, 0);
    const who = clientIds.length === 1 ? `${visible(firstId)} is` : `${formatSiteCount(total)} are`;
    notify("done", `${who} asked again for ${timeWords(localTime)}`);
    this.#loader.touch(localTime);
  }

  async #act(action: ScheduleAction, schedule: ScheduleRecord): Promise<void> {
    const { name } = schedule;
    switch (action) {
      case "run": {
        const { jobs } = await api.runSchedule(name, {});
        const total = jobs.reduce((sum, job) => sum + job.total, 0);
        if (name === this.#chosen) this.#loader.touchAll();
        return notify("done", `${name} asks ${formatSiteCount(total)} now`);
      }
      case "pause":
        this.#set(await api.changeSchedule(name, { paused: true }));
        return notify("done", `${name} is paused`);
      case "resume":
        this.#set(await api.changeSchedule(name, { paused: false }));
        return notify("done", `${name} goes on`);
      case "edit":
        return this.#form.open(schedule);
      case "times":
        if (this.#list.showsTimes(name)) return this.#list.showTimes(name, null);
        return this.#showTimes(name);
      case "delete":
        return;
      case "confirm-delete":
        await api.deleteSchedule(name);
        this.#remove(name);
        if (name === this.#chosen) this.options.onChoose(null);
        return notify("done", `${name} is deleted; what came stays`);
    }
  }

  async #showTimes(name: string): Promise<void> {
    const preview = await api.previewSchedule(name, { count: String(TIMES_AHEAD) });
    this.render([...this.#sites.values()], this.#chosen);
    this.#list.showTimes(name, preview);
  }
}

/** Loads a download. @returns null if it no longer exists */
async function downloadOf(downloadId: string): Promise<DownloadRecord | null> {
  try {
    return await api.download(downloadId);
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return null;
    throw error;
  }
}
