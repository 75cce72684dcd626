import type { JobRecord, NewJob } from "../../api/jobs.ts";
import { api, ApiProblem } from "../api.ts";
import type { Site } from "../board.ts";
import { byId, find, setText } from "../dom.ts";
import { notify } from "../notices.ts";
import { JobBook } from "./job-book.ts";
import { type JobAction, JobList } from "./job-list.ts";
import { formatSiteCount } from "./job-order.ts";
import { rerunStatusOf, titleOf } from "./job-words.ts";
import { LimitsEditor } from "./limits-editor.ts";
import { NewJobForm } from "./new-job.ts";

/** Runs an action, and shows its error, if any, as a notice. @returns whether it succeeded */
export type Run = (work: () => Promise<void>) => Promise<boolean>;

/**
 * Number of jobs per request. It is also the number of the latest jobs with which the event stream begins,
 * besides all unfinished ones.
 */
const PAGE_SIZE = 50;

/** The part of the page for jobs: their list, and the form for a new one. */
export class JobsPanel {
  readonly #book = new JobBook();
  readonly #list = new JobList(this.#book, {
    onAction: (action, job) => this.#runOnce(action, job),
    onLimits: (job, row) => this.#limits.open(job, row),
    onMore: () => void this.#run(() => this.#loadOlder()),
  });
  readonly #limits = new LimitsEditor((job, change) =>
    this.#run(async () => {
      this.set(await api.changeJob(job.job_id, change));
      notify("done", `${titleOf(job)} has other limits`);
    }),
  );
  readonly #form = new NewJobForm((order, key) => this.#run(() => this.#make(order, key)));
  /** Cursor for older jobs; undefined before the first page is loaded, null if there are no more jobs. */
  #cursor: string | null | undefined;
  /** Id of the last job that was loaded because it was selected but not known from events. */
  #requestedId: string | null = null;
  /** Keys of running actions, such as `pause <job_id>`. A click that repeats one of them is ignored. */
  readonly #runningActions = new Set<string>();
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }

  /** Stores the state of a new or changed job. */
  set(job: JobRecord): void {
    this.#book.set(job);
  }

  /**
   * Called after each new connection to the event stream. Loads each job again that has not ended as far as
   * the page knows. The stream begins only with unfinished jobs and the latest ones, so a job that ended
   * while the connection was lost may be missing there.
   */
  async refresh(): Promise<void> {
    for (const { job_id } of this.#book.unfinished) {
      try {
        this.#book.set(await api.job(job_id));
      } catch (error) {
        if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
        this.#book.delete(job_id);
      }
    }
  }

  /**
   * Draws the panel.
   * @param chosen id of the job to which the list of downloads is limited; null if the list is not limited to
   *   a job
   */
  render(sites: readonly Site[], chosen: string | null): void {
    this.#form.render(sites);
    const hasOlder =
      this.#cursor === undefined ? this.#book.size >= PAGE_SIZE : this.#cursor !== null;
    this.#list.render(chosen, hasOlder);
    this.#renderChosen(chosen);
  }

  /** Shows the job to which the list of downloads is limited, if any, above that list. */
  #renderChosen(chosen: string | null): void {
    const job = chosen === null ? undefined : this.#book.get(chosen);
    const note = byId("of-job", HTMLElement);
    note.hidden = chosen === null;
    setText(find(note, "bdi", HTMLElement), job ? titleOf(job) : "…");
    byId("downloads", HTMLElement).classList.toggle("of-job", chosen !== null);
    if (chosen === null || job || this.#requestedId === chosen) return;
    this.#requestedId = chosen;
    void this.#run(async () => this.set(await api.job(chosen)));
  }

  /** Loads jobs that are older than those known from events, until there are enough to show. */
  async #loadOlder(): Promise<void> {
    while (this.#cursor !== null && this.#book.size < this.#list.maxShown) {
      const { jobs, next_cursor } = await api.jobs({
        limit: String(PAGE_SIZE),
        cursor: this.#cursor,
      });
      for (const job of jobs) this.#book.set(job);
      this.#cursor = next_cursor;
    }
  }

  async #make(order: NewJob, key: string): Promise<void> {
    const { total } = await api.createJob(order, key);
    notify("done", total === 0 ? "The job waits for sites" : `${formatSiteCount(total)} are asked`);
  }

  #runOnce(action: JobAction, job: JobRecord): void {
    const key = `${action} ${job.job_id}`;
    if (this.#runningActions.has(key)) return;
    this.#runningActions.add(key);
    void this.#run(() => this.#act(action, job)).finally(() => this.#runningActions.delete(key));
  }

  async #act(action: JobAction, job: JobRecord): Promise<void> {
    const title = titleOf(job);
    switch (action) {
      case "pause":
        this.set(await api.pauseJob(job.job_id));
        return notify("done", `${title} is paused: what runs may end`);
      case "resume":
        this.set(await api.resumeJob(job.job_id));
        return notify("done", `${title} goes on`);
      case "cancel":
        this.set(await api.cancelJob(job.job_id));
        return notify("done", `${title} is cancelled`);
      case "rerun": {
        const status = rerunStatusOf(job, Date.now());
        if (status === null) return;
        this.set(await api.rerunJob(job.job_id, { statuses: [status] }));
        return notify(
          "done",
          `${title} asks those that ${status === "failed" ? "failed" : "were cancelled"} again`,
        );
      }
    }
  }
}
