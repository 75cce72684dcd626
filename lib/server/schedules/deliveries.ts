import type { Logger } from "../../util/logger.ts";
import { nextRound, pauses } from "../../util/fair-turns.ts";
import {
  type Asked,
  CHANGED_AT_ONCE,
  type Delivery,
  type DeliveryChange,
  type DeliveryKey,
  type DeliveryRows,
  type DeliveryState,
  type Schedule,
  type ScheduleRows,
} from "../schedule.ts";
import { stateOf } from "./delivery-status.ts";

/** Deliveries that are handled before other work of the event loop runs. */
const PAGE = 200;

/** Delay after an error of the database until the next try, in ms. */
const RETRY_AFTER_MS = 5_000;

/** The files and bytes expected of a delivery whose schedule was removed. */
const ANYTHING = { files: 1, bytes: 0 };

export interface DeliveriesOptions {
  rows: DeliveryRows;
  schedules: Pick<ScheduleRows, "byId">;
  /** Returns the current time, in ms since 1970. */
  now: () => number;
  logger: Logger;
}

/**
 * Updates the status of deliveries when one of their downloads changes, when they are due, and at startup.
 * Notifications about downloads are only hints; the database rows decide.
 */
export class Deliveries {
  /** Ids of clients whose downloads changed. The key is the id of the downloads' job. */
  readonly #changed = new Map<string, Set<string>>();
  #isUpdating = false;
  #stopped = false;

  constructor(private readonly options: DeliveriesOptions) {}

  /** Notes that a download of a job is new, or that its status changed. */
  downloadChanged(jobId: string, clientId: string): void {
    const clients = this.#changed.get(jobId) ?? new Set();
    this.#changed.set(jobId, clients.add(clientId));
    if (!this.#isUpdating) void this.#updateChanged();
  }

  /** Updates the status of all deliveries that are due and still awaited. @param now ms since 1970 */
  async updateDue(now: number): Promise<void> {
    for (let isMore = true; isMore;) {
      const due = await this.options.rows.due(now, PAGE);
      await this.#updateStatuses(due, now);
      isMore = due.length === PAGE;
      await nextRound();
    }
  }

  /**
   * Updates the status of all deliveries that are expected, running or missing, as messages about changed
   * downloads may have been lost.
   */
  async updateOpen(): Promise<void> {
    for (let after: DeliveryKey | null = null, isMore = true; isMore;) {
      const open: Asked[] = await this.options.rows.open(after, PAGE);
      await this.#updateStatuses(open, this.options.now());
      after = open.at(-1)?.delivery ?? null;
      isMore = open.length === PAGE;
      await nextRound();
    }
  }

  /** Resolves when all reported changes of downloads have been handled. */
  async idle(): Promise<void> {
    while (this.#isUpdating && !this.#stopped) await nextRound();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #updateChanged(): Promise<void> {
    this.#isUpdating = true;
    await nextRound();
    for (const [jobId, clients] of this.#changed) {
      if (this.#stopped) return;
      const batch = [...clients].slice(0, PAGE);
      for (const clientId of batch) clients.delete(clientId);
      if (clients.size === 0) this.#changed.delete(jobId);
      try {
        await this.#updateStatuses(await this.options.rows.asked(jobId, batch), this.options.now());
      } catch (error) {
        if (this.#stopped) return;
        this.options.logger.error("deliveries were not looked at", { job_id: jobId }, error);
        for (const clientId of batch) this.downloadChanged(jobId, clientId);
        await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS).unref());
      }
      await nextRound();
    }
    this.#isUpdating = false;
    if (this.#changed.size > 0) void this.#updateChanged();
  }

  /** Computes the status of deliveries, and records each one that has changed. */
  async #updateStatuses(batch: readonly Asked[], now: number): Promise<void> {
    const schedules = new Map<string, Schedule | null>();
    const pause = pauses();
    let changes: DeliveryChange[] = [];
    for (const asked of batch) {
      await pause();
      const { delivery } = asked;
      const { scheduleId } = delivery;
      const known = schedules.get(scheduleId);
      const schedule = known === undefined ? await this.options.schedules.byId(scheduleId) : known;
      schedules.set(scheduleId, schedule);
      const bytes = await this.#bytesOf(asked);
      const state = stateOf(asked, bytes, schedule?.expect ?? ANYTHING, now);
      if (!isSame(delivery, state)) changes.push({ delivery, state });
      if (changes.length < CHANGED_AT_ONCE) continue;
      await this.#record(changes, schedules);
      changes = [];
    }
    await this.#record(changes, schedules);
  }

  /**
   * Writes changed deliveries to the database, and logs each new status.
   * @param schedules the schedules of these deliveries. The key is the id; null: the schedule was removed
   */
  async #record(
    changes: readonly DeliveryChange[],
    schedules: ReadonlyMap<string, Schedule | null>,
  ): Promise<void> {
    const { rows, logger } = this.options;
    const written = new Set((await rows.change(changes)).map(keyOf));
    for (const { delivery, state } of changes) {
      const { jobId, clientId, localTime, scheduleId } = delivery;
      if (!written.has(keyOf(delivery))) {
        // Another change of this delivery came first, so its status is computed again.
        if (jobId !== null) this.downloadChanged(jobId, clientId);
        continue;
      }
      const schedule = schedules.get(scheduleId);
      if (state.status === delivery.status || !schedule) continue;
      const about = { client_id: clientId, scheduled_local: localTime };
      logger.info(`delivery ${state.status}`, { schedule: schedule.name, ...about });
    }
  }

  /**
   * Returns the size in bytes of all files of a delivery's download. The total in the download's row leaves
   * out unchanged files. If the download has such files, the sizes in the rows of all its files are added up.
   */
  async #bytesOf({ download }: Asked): Promise<number> {
    if (download === null) return 0;
    const { downloadId, filesUnchanged, totalSize } = download;
    return filesUnchanged > 0 ? this.options.rows.bytesOf(downloadId) : totalSize;
  }
}

function keyOf({ scheduleId, clientId, localTime }: DeliveryKey): string {
  return `${scheduleId} ${clientId} ${localTime}`;
}

function isSame(delivery: Delivery, state: DeliveryState): boolean {
  const { status, downloadId, files, bytes } = delivery;
  const isOther = state.downloadId !== downloadId || state.files !== files;
  return state.status === status && !isOther && state.bytes === bytes;
}
