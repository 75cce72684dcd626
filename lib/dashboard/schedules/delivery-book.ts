import type { BoardTime, DeliveryStatus } from "../../api/deliveries.ts";
import { type DeliveryCounts, isOwed, WORST_FIRST } from "./delivery-words.ts";

/** A site, and how much it owes. */
export interface SiteRow {
  clientId: string;
  /** Number of shown times for which it owes something. */
  owed: number;
}

/** The deliveries of a time. */
interface Night {
  statuses: Map<string, DeliveryStatus>;
  counts: DeliveryCounts;
  /** When the next awaited delivery is due, ms since 1970; null: none is awaited. */
  nextDue: number | null;
}

/** Sorts by name, and numbers in names by value. */
const byName = new Intl.Collator("en", { numeric: true });

/**
 * The status of each loaded delivery of one schedule, by site and time. Times are local ones,
 * `2026-11-30T02:30:00`, so that sites in all zones share a column.
 */
export class DeliveryBook {
  readonly #nights = new Map<string, Night>();
  /** The local time that each job belongs to. */
  readonly #jobs = new Map<string, string>();

  /** Number of loaded deliveries. */
  get size(): number {
    return this.#nights.values().reduce((sum, { statuses }) => sum + statuses.size, 0);
  }

  /** Sets all deliveries of a time, in place of those that were loaded before. */
  set({ scheduled_local: night, clients, next_due_at, job_ids }: BoardTime): void {
    const statuses = new Map<string, DeliveryStatus>();
    const counts = noCounts();
    for (const status of WORST_FIRST) {
      counts[status] = clients[status].length;
      for (const clientId of clients[status]) statuses.set(clientId, status);
    }
    const nextDue = next_due_at === null ? null : Date.parse(next_due_at);
    this.#nights.set(night, { statuses, counts, nextDue });
    for (const jobId of job_ids) this.#jobs.set(jobId, night);
  }

  clear(): void {
    this.#nights.clear();
    this.#jobs.clear();
  }

  /** The status of a site's delivery; undefined: there is none. */
  get(night: string, clientId: string): DeliveryStatus | undefined {
    return this.#nights.get(night)?.statuses.get(clientId);
  }

  /** The local time of a job; undefined: not a known one. */
  nightOf(jobId: string): string | undefined {
    return this.#jobs.get(jobId);
  }

  /** The newest local times, newest first. */
  nights(most: number): string[] {
    return [...this.#nights.keys()].toSorted().toReversed().slice(0, most);
  }

  countsOf(night: string): DeliveryCounts {
    return this.#nights.get(night)?.counts ?? noCounts();
  }

  /** Sites that owe something for a time. */
  owing(night: string): string[] {
    const there = this.#nights.get(night)?.statuses ?? [];
    return [...there].filter(([, status]) => isOwed(status)).map(([clientId]) => clientId);
  }

  /**
   * The time by which all sites are judged: the newest one at which at least half of all sites were asked.
   * A run by hand for a few sites says nothing about the others.
   */
  mainNight(nights: readonly string[]): string | null {
    const sizeOf = (night: string) => this.#nights.get(night)?.statuses.size ?? 0;
    const most = Math.max(0, ...nights.map(sizeOf));
    return nights.find((night) => sizeOf(night) * 2 >= most) ?? null;
  }

  /**
   * The sites of these times: those that owe something for the main time first, then those that owe more.
   */
  rowsOf(nights: readonly string[]): SiteRow[] {
    const owed = new Map<string, number>();
    for (const night of nights) {
      for (const [clientId, status] of this.#nights.get(night)?.statuses ?? []) {
        owed.set(clientId, (owed.get(clientId) ?? 0) + Number(isOwed(status)));
      }
    }
    const main = this.mainNight(nights);
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

  /** When the next expected delivery is due, ms since 1970; null: none. */
  nextDue(): number | null {
    const due = [...this.#nights.values()].flatMap(({ nextDue }) => nextDue ?? []);
    return due.length === 0 ? null : Math.min(...due);
  }

  /** Local times with deliveries that are due but still expected. @param now ms since 1970 */
  overdue(now: number): string[] {
    return [...this.#nights]
      .filter(([, { nextDue }]) => nextDue !== null && nextDue <= now)
      .map(([night]) => night);
  }
}

function noCounts(): DeliveryCounts {
  return Object.fromEntries(WORST_FIRST.map((status) => [status, 0])) as DeliveryCounts;
}

/** Only owing matters for the order, so rows do not move while files arrive. */
function rankOf(status: DeliveryStatus | undefined): number {
  if (status === "missing") return 0;
  return status === "partial" ? 1 : 2;
}
