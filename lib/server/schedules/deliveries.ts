import type { Logger } from "../../util/logger.ts";
import { nextRound, pauses } from "../../util/fair-turns.ts";
import type {
  Asked,
  Delivery,
  DeliveryKey,
  DeliveryRows,
  DeliveryState,
  Schedule,
  ScheduleRows,
} from "../schedule.ts";
import { stateOf } from "./delivery-status.ts";

/** Deliveries that are handled before others get their turn. */
const PAGE = 200;

/** Delay after an error of the database until the next try, in ms. */
const AGAIN_AFTER_MS = 5_000;

/** What is expected where the schedule was removed meanwhile. */
const ANYTHING = { files: 1, bytes: 0 };

export interface DeliveriesOptions {
  rows: DeliveryRows;
  schedules: Pick<ScheduleRows, "byId">;
  /** ms since 1970. */
  now: () => number;
  logger: Logger;
}

/**
 * Updates deliveries: when one of their downloads changes, when they are due, and at the start. What it is
 * told of downloads is only a hint; the rows decide.
 */
export class Deliveries {
  /** Clients whose downloads changed, by job. */
  readonly #changed = new Map<string, Set<string>>();
  #isLooking = false;
  #stopped = false;

  constructor(private readonly options: DeliveriesOptions) {}

  /** A job's download is new, or its status changed. */
  downloadChanged(jobId: string, clientId: string): void {
    const clients = this.#changed.get(jobId) ?? new Set();
    this.#changed.set(jobId, clients.add(clientId));
    if (!this.#isLooking) void this.#look();
  }

  /** Updates deliveries that are due. @param now ms since 1970 */
  async lookAtDue(now: number): Promise<void> {
    for (let isMore = true; isMore;) {
      const due = await this.options.rows.due(now, PAGE);
      await this.#judge(due, now);
      isMore = due.length === PAGE;
      await nextRound();
    }
  }

  /** Updates all deliveries that are still open, as hints may have been lost. */
  async lookAtOpen(): Promise<void> {
    for (let after: DeliveryKey | null = null, isMore = true; isMore;) {
      const open: Asked[] = await this.options.rows.open(after, PAGE);
      await this.#judge(open, this.options.now());
      after = open.at(-1)?.delivery ?? null;
      isMore = open.length === PAGE;
      await nextRound();
    }
  }

  /** Resolves when all hints have been handled. */
  async idle(): Promise<void> {
    while (this.#isLooking && !this.#stopped) await nextRound();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    await nextRound();
    for (const [jobId, clients] of this.#changed) {
      if (this.#stopped) return;
      const some = [...clients].slice(0, PAGE);
      for (const clientId of some) clients.delete(clientId);
      if (clients.size === 0) this.#changed.delete(jobId);
      try {
        await this.#judge(await this.options.rows.asked(jobId, some), this.options.now());
      } catch (error) {
        if (this.#stopped) return;
        this.options.logger.error("deliveries were not looked at", { job_id: jobId }, error);
        for (const clientId of some) this.downloadChanged(jobId, clientId);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS).unref());
      }
      await nextRound();
    }
    this.#isLooking = false;
    if (this.#changed.size > 0) void this.#look();
  }

  /** Records the status of deliveries where it has changed. */
  async #judge(some: readonly Asked[], now: number): Promise<void> {
    const schedules = new Map<string, Schedule | null>();
    const pause = pauses();
    for (const asked of some) {
      await pause();
      const { scheduleId } = asked.delivery;
      const known = schedules.get(scheduleId);
      const schedule = known === undefined ? await this.options.schedules.byId(scheduleId) : known;
      schedules.set(scheduleId, schedule);
      await this.#judgeOne(asked, schedule, now);
    }
  }

  /** @param schedule null: it was removed meanwhile */
  async #judgeOne(first: Asked, schedule: Schedule | null, now: number): Promise<void> {
    const { rows, logger } = this.options;
    for (let asked: Asked | undefined = first; asked;) {
      const { delivery }: Asked = asked;
      const { jobId, clientId }: Delivery = delivery;
      const bytes = await this.#bytesOf(asked);
      const state = stateOf(asked, bytes, schedule?.expect ?? ANYTHING, now);
      if (isSame(delivery, state)) return;
      if (await rows.change(delivery, state)) {
        if (state.status === delivery.status || !schedule) return;
        const about = { client_id: clientId, scheduled_local: delivery.localTime };
        logger.info(`delivery ${state.status}`, { schedule: schedule.name, ...about });
        return;
      }
      [asked] = jobId === null ? [] : await rows.asked(jobId, [clientId]);
    }
  }

  /** Bytes of all files of a download. The row does not count the unchanged ones. */
  async #bytesOf({ download }: Asked): Promise<number> {
    if (download === null) return 0;
    const { downloadId, filesUnchanged, totalSize } = download;
    return filesUnchanged > 0 ? this.options.rows.bytesOf(downloadId) : totalSize;
  }
}

function isSame(delivery: Delivery, state: DeliveryState): boolean {
  const { status, downloadId, files, bytes } = delivery;
  const isOther = state.downloadId !== downloadId || state.files !== files;
  return state.status === status && !isOther && state.bytes === bytes;
}
