import type { JobRecord } from "../../api/jobs.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import type { Caller } from "../access/caller.ts";
import type { DataFor, Events } from "../events/events.ts";
import type { Job, JobRows } from "../job.ts";
import { jobRecord, mayChange } from "../records/jobs.ts";

/** The number of latest jobs that a new reader gets, besides all jobs that have not ended. */
const LATEST = 50;

export interface JobEventsOptions {
  rows: JobRows;
  events: Pick<Events, "tell">;
  logger: Logger;
}

/** Sends events about jobs. Each reader gets only what the reader's token may see. */
export class JobEvents {
  readonly #rows: JobRows;

  constructor(private readonly options: JobEventsOptions) {
    this.#rows = options.rows;
  }

  /** Reports a job to readers of events, in its state at the time of sending. */
  tell({ jobId }: Pick<Job, "jobId">): void {
    const { events, logger } = this.options;
    const dataFor: DataFor = async (access) => {
      const job = await this.#rows.get(jobId);
      return job && this.#record(job, access);
    };
    events
      .tell("job", `job/${jobId}`, dataFor)
      .catch((error: unknown) => logger.error("a job could not be told of", {}, error));
  }

  /**
   * Yields all jobs that have not ended, and the {@link LATEST} jobs made last, as far as a caller may see
   * them.
   */
  async *latest(caller: Caller, inTurn: InTurn): AsyncGenerator<JobRecord> {
    const { sites, tokenHash } = caller;
    const seenBy = sites && { sites, tokenHash };
    const latest = await inTurn(() => this.#rows.list({ seenBy, limit: LATEST }));
    const known = new Set(latest.map(({ jobId }) => jobId));
    const open = (await inTurn(() => this.#rows.open())).filter(({ jobId }) => !known.has(jobId));
    for (const job of [...open, ...latest.toReversed()]) {
      const record = await inTurn(() => this.#record(job, caller));
      if (record) yield record;
    }
  }

  async #record(job: Job, viewer: Pick<Caller, "sites" | "tokenHash">): Promise<JobRecord | null> {
    const totals = await this.#rows.totals(job.jobId, viewer.sites);
    if (totals.total === 0 && !mayChange(job, viewer)) return null;
    return jobRecord(job, totals, viewer);
  }
}
