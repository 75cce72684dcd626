import type { BoardTime, DeliveryStatus } from "../../api/deliveries.ts";
import { type DeliveryCounts, owesFiles, WORST_FIRST } from "./delivery-words.ts";

/** A row of a schedule's board: a site, and how many of its deliveries are missing or partial. */
export interface SiteRow {
  clientId: string;
  /** Number of the board's scheduled times at which the site's delivery is missing or partial. */
  owed: number;
}

/** All deliveries of one scheduled local time, which is a column of a schedule's board. */
interface TimeDeliveries {
  statuses: Map<string, DeliveryStatus>;
  counts: DeliveryCounts;
  /** Earliest due time of the expected and running deliveries, in ms since 1970; null if there are none. */
  nextDue: number | null;
}

/** Sorts names, and compares numbers in them by value, so that till-2 comes before till-10. */
const byName = new Intl.Collator("en", { numeric: true });

/**
 * The status of each loaded delivery of one schedule, by scheduled time and site. Times are local times such
 * as `2026-11-30T02:30:00`, so that sites in all time zones share a column of the board.
 */
export class DeliveryBook {
  readonly #byTime = new Map<string, TimeDeliveries>();
  /** The scheduled local time for which each job was made, by job id. */
  readonly #jobs = new Map<string, string>();

  /** The number of loaded deliveries. */
  get size(): number {
    return this.#byTime.values().reduce((sum, { statuses }) => sum + statuses.size, 0);
  }

  /** Replaces all deliveries of one scheduled local time by newly loaded ones. */
  set({ scheduled_local: localTime, clients, next_due_at, job_ids }: BoardTime): void {
    const statuses = new Map<string, DeliveryStatus>();
    const counts = zeroCounts();
    for (const status of WORST_FIRST) {
      counts[status] = clients[status].length;
      for (const clientId of clients[status]) statuses.set(clientId, status);
    }
    const nextDue = next_due_at === null ? null : Date.parse(next_due_at);
    this.#byTime.set(localTime, { statuses, counts, nextDue });
    for (const jobId of job_ids) this.#jobs.set(jobId, localTime);
  }

  clear(): void {
    this.#byTime.clear();
    this.#jobs.clear();
  }

  /**
   * Returns the status of a site's delivery; undefined if none is expected.
   * @param localTime scheduled local time
   */
  get(localTime: string, clientId: string): DeliveryStatus | undefined {
    return this.#byTime.get(localTime)?.statuses.get(clientId);
  }

  /** Returns the scheduled local time for which a job was made; undefined for an unknown job. */
  localTimeOf(jobId: string): string | undefined {
    return this.#jobs.get(jobId);
  }

  /** Returns the newest scheduled local times, newest first. @param maxTimes highest number of times */
  newestTimes(maxTimes: number): string[] {
    return [...this.#byTime.keys()].toSorted().toReversed().slice(0, maxTimes);
  }

  countsOf(localTime: string): DeliveryCounts {
    return this.#byTime.get(localTime)?.counts ?? zeroCounts();
  }

  /** Returns the ids of sites whose delivery is missing or partial. @param localTime scheduled local time */
  sitesOwing(localTime: string): string[] {
    const statuses = this.#byTime.get(localTime)?.statuses ?? [];
    return [...statuses].filter(([, status]) => owesFiles(status)).map(([clientId]) => clientId);
  }

  /**
   * Returns the scheduled time whose result the board sums up: the newest time with at least half as many
   * deliveries as the time with the most. So a run by hand for a few sites does not count as the latest
   * result.
   * @param localTimes scheduled local times, newest first
   * @returns null if there are none
   */
  mainTime(localTimes: readonly string[]): string | null {
    const sizeOf = (localTime: string) => this.#byTime.get(localTime)?.statuses.size ?? 0;
    const maxSize = Math.max(0, ...localTimes.map(sizeOf));
    return localTimes.find((localTime) => sizeOf(localTime) * 2 >= maxSize) ?? null;
  }

  /**
   * Returns the rows of a board with these scheduled times. Sites whose delivery at {@link mainTime} is
   * missing come first, then those where it is partial, then all others. In each group, sites with more
   * missing or partial deliveries come first.
   */
  rowsOf(localTimes: readonly string[]): SiteRow[] {
    const owed = new Map<string, number>();
    for (const localTime of localTimes) {
      for (const [clientId, status] of this.#byTime.get(localTime)?.statuses ?? []) {
        owed.set(clientId, (owed.get(clientId) ?? 0) + Number(owesFiles(status)));
      }
    }
    const main = this.mainTime(localTimes);
    const rows = [...owed].map(([clientId, count]) => ({
      row: { clientId, owed: count },
      rank: rankOf(main === null ? undefined : this.get(main, clientId)),
    }));
    return rows
      .toSorted(
        (a, b) =>
          a.rank - b.rank ||
          b.row.owed - a.row.owed ||
          byName.compare(a.row.clientId, b.row.clientId),
      )
      .map(({ row }) => row);
  }

  /**
   * Returns the earliest due time of all expected and running deliveries, in ms since 1970; null if there are
   * none.
   */
  nextDue(): number | null {
    const due = [...this.#byTime.values()].flatMap(({ nextDue }) => nextDue ?? []);
    return due.length === 0 ? null : Math.min(...due);
  }

  /**
   * Returns the scheduled times with a delivery that is past its due time, but still has the status
   * "expected" or "running".
   * @param now ms since 1970
   */
  overdue(now: number): string[] {
    return [...this.#byTime]
      .filter(([, { nextDue }]) => nextDue !== null && nextDue <= now)
      .map(([localTime]) => localTime);
  }
}

function zeroCounts(): DeliveryCounts {
  return Object.fromEntries(WORST_FIRST.map((status) => [status, 0])) as DeliveryCounts;
}

/**
 * Returns a sort key for a row. All statuses but missing and partial have the same key, so that rows seldom
 * change places.
 */
function rankOf(status: DeliveryStatus | undefined): number {
  if (status === "missing") return 0;
  return status === "partial" ? 1 : 2;
}
