import type { JobRecord } from "../../api/jobs.ts";
import { fragmentOf, NO_FILTERS } from "../address.ts";
import {
  arrange,
  byId,
  cloneOf,
  find,
  keepingFocus,
  moveFocusTo,
  setText,
  setTime,
} from "../dom.ts";
import { formatCount, formatWhen, visible } from "../format.ts";
import { keepTextOf } from "../keep/keep-rule.ts";
import { hasJobEnded, type JobBook } from "./job-book.ts";
import * as words from "./job-words.ts";
import { showBar } from "./status-bar.ts";

/** How many ended jobs are shown at first, and how many more after each click on "more". */
const FIRST_SHOWN = 3;
const MORE_SHOWN = 20;

/** Actions on a job. Each is also the class name of its button in a row. */
const ACTIONS = ["pause", "resume", "cancel", "rerun"] as const;
export type JobAction = (typeof ACTIONS)[number];

export interface JobListListener {
  onAction(action: JobAction, job: JobRecord): void;
  /**
   * Called to edit a job's expiry and its limit of concurrent downloads.
   * @param row element of the job's row
   */
  onLimits(job: JobRecord, row: HTMLElement): void;
  /** Called to load older jobs. */
  onMore(): void;
}

/** The list of jobs: all unfinished ones, and the latest that have ended. */
export class JobList {
  readonly #list = byId("job-list", HTMLUListElement);
  readonly #more = byId("jobs-more", HTMLButtonElement);
  readonly #rows = new Map<string, HTMLElement>();
  #maxEnded = FIRST_SHOWN;

  constructor(
    private readonly book: JobBook,
    listener: JobListListener,
  ) {
    this.#list.addEventListener("click", ({ target }) => {
      const pressed = target instanceof Element ? target.closest("button, a") : null;
      // The browser follows the link, which changes the filters in the URL. This only shows the downloads.
      if (pressed instanceof HTMLAnchorElement) moveFocusTo("downloads");
      const row = pressed?.closest<HTMLElement>(".job");
      const id = row?.dataset["jobId"];
      const job = id === undefined ? undefined : book.get(id);
      if (job && row && pressed?.classList.contains("limit")) listener.onLimits(job, row);
      const action = ACTIONS.find((name) => pressed?.classList.contains(name));
      if (job && action) listener.onAction(action, job);
    });
    this.#more.addEventListener("click", () => {
      this.#maxEnded += MORE_SHOWN;
      listener.onMore();
    });
  }

  /** The number of jobs to show. */
  get maxShown(): number {
    return this.book.unfinished.length + this.#maxEnded;
  }

  /**
   * Draws the list.
   * @param chosen id of the job whose downloads are shown; null if the downloads are not limited to a job
   * @param hasOlder whether the server may have older jobs that the page has not loaded
   */
  render(chosen: string | null, hasOlder: boolean): void {
    const now = Date.now();
    const jobs = this.book.inOrder();
    const shown = jobs.filter(({ job_id }, at) => at < this.maxShown || job_id === chosen);
    keepingFocus(() =>
      arrange(
        this.#list,
        shown.map((job) => this.#row(job, job.job_id === chosen, now)),
      ),
    );
    this.#list.hidden = shown.length === 0;
    const open = this.book.unfinished.length;
    setText(byId("jobs-count", HTMLElement), open === 0 ? "" : `${formatCount(open)} under way`);
    this.#more.hidden = shown.length === jobs.length && !hasOlder;
    byId("jobs-empty", HTMLElement).hidden = jobs.length > 0;
  }

  #row(job: JobRecord, isChosen: boolean, now: number): HTMLElement {
    const row = this.#rows.get(job.job_id) ?? this.#newRow(job);
    row.dataset["state"] = job.status;
    find(row, ".job-name", HTMLAnchorElement).ariaCurrent = isChosen ? "true" : "false";
    setText(find(row, ".job-status", HTMLElement), words.JOB_STATUS_WORDS[job.status]);
    const time = find(row, "time", HTMLTimeElement);
    setTime(time, job.created_at, formatWhen(job.created_at, now));
    showBar(find(row, ".bar", HTMLElement), job);
    showCounts(find(row, ".job-counts", HTMLElement), job);
    setText(find(row, ".job-amount", HTMLElement), amountOf(job));
    showActions(row, job, now);
    return row;
  }

  #newRow(job: JobRecord): HTMLElement {
    const row = cloneOf("job-row");
    row.dataset["jobId"] = job.job_id;
    const name = find(row, ".job-name", HTMLAnchorElement);
    const title = words.titleOf(job);
    setText(name, title);
    name.href = fragmentOf({ ...NO_FILTERS, job: job.job_id });
    const keepText = keepTextOf(job.keep);
    const about = [
      words.whoOf(job),
      ...(job.name === null ? [] : [words.whatOf(job)]),
      ...(keepText === null ? [] : [keepText]),
      ...(job.created_by === null ? [] : [`by ${job.created_by}`]),
    ];
    const who = find(row, ".job-who", HTMLElement);
    setText(who, visible(about.join(" · ")));
    who.title = who.textContent;
    find(row, ".pause", HTMLElement).ariaLabel = `Pause ${title}`;
    find(row, ".resume", HTMLElement).ariaLabel = `Resume ${title}`;
    find(row, ".limit", HTMLElement).ariaLabel = `Limits of ${title}`;
    find(row, ".cancel", HTMLElement).ariaLabel = `Cancel ${title}`;
    this.#rows.set(job.job_id, row);
    return row;
  }
}

/** Shows the number of a job's downloads with each status, each as a link to these downloads. */
function showCounts(list: HTMLElement, job: JobRecord): void {
  const counts = words.countsOf(job);
  const links = new Map(
    [...list.querySelectorAll("a")].map((link) => [link.dataset["status"], link]),
  );
  const shown = counts.map(({ status, words: text }) => {
    const link = links.get(status) ?? document.createElement("a");
    link.dataset["status"] = status;
    const onlyOpen = status === "failed";
    link.href = fragmentOf({ ...NO_FILTERS, job: job.job_id, status, onlyOpen });
    setText(link, text);
    return link;
  });
  keepingFocus(() => arrange(list, shown));
}

function amountOf(job: JobRecord): string {
  const amount = words.amountOf(job);
  return hasJobEnded(job) ? amount : `${words.percentOf(job)} % · ${amount}`;
}

function showActions(row: HTMLElement, job: JobRecord, now: number): void {
  const focused = row.contains(document.activeElement) ? document.activeElement : null;
  // `may_change` is true if the signed-in token made the job, or sees all sites. The server refuses changes
  // by other tokens.
  const isOpen = job.may_change && !hasJobEnded(job);
  find(row, ".pause", HTMLElement).hidden = !isOpen || job.status !== "running";
  find(row, ".resume", HTMLElement).hidden = !isOpen || job.status !== "paused";
  find(row, ".limit", HTMLElement).hidden = !isOpen;
  find(row, ".cancel", HTMLElement).hidden = !isOpen;
  const rerun = find(row, ".rerun", HTMLButtonElement);
  const status = job.may_change ? words.rerunStatusOf(job, now) : null;
  rerun.hidden = status === null;
  if (status !== null) {
    setText(rerun, `Ask the ${status} again`);
    rerun.ariaLabel = `${rerun.textContent}: ${words.titleOf(job)}`;
  }
  // If the clicked button is hidden now, the row takes the focus, so that keyboard users keep their place.
  if (focused?.checkVisibility() === false) row.focus();
}
