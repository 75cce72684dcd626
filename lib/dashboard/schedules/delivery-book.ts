import type { DeliveryRecord, DeliveryStatus } from "../../api/deliveries.ts";
import { type DeliveryCounts, isOwed, WORST_FIRST } from "./delivery-words.ts";

/** A site, and how much it owes. */
export interface SiteRow {
  clientId: string;
  /** Number of shown times for which it owes something. */
  owed: number;
}

/** Sorts by name, and numbers in names by value. */
const byName = new Intl.Collator("en", { numeric: true });

/**
 * The loaded deliveries of one schedule, by site and time. Times are local ones, `2026-11-30T02:30:00`, so
 * that sites in all zones share a column.
 */
export class DeliveryBook {
  /** The deliveries of each site, by local time. */
  readonly #nights = new Map<string, Map<string, DeliveryRecord>>();
  /** The local time that each job belongs to. */
  readonly #jobs = new Map<string, string>();
  #size = 0;

  /** Number of loaded deliveries. */
  get size(): number {
    return this.#size;
  }

  add(deliveries: readonly DeliveryRecord[]): void {
    for (const delivery of deliveries) {
      const { scheduled_local: night, client_id: clientId, job_id: jobId } = delivery;
      const there = this.#nights.get(night) ?? new Map<string, DeliveryRecord>();
      this.#nights.set(night, there);
      if (!there.has(clientId)) this.#size++;
      there.set(clientId, delivery);
      if (jobId !== null) this.#jobs.set(jobId, night);
    }
  }

  clear(): void {
    this.#nights.clear();
    this.#jobs.clear();
    this.#size = 0;
  }

  get(night: string, clientId: string): DeliveryRecord | undefined {
    return this.#nights.get(night)?.get(clientId);
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
    const counts = Object.fromEntries(WORST_FIRST.map((status) => [status, 0])) as DeliveryCounts;
    for (const { status } of this.#nights.get(night)?.values() ?? []) counts[status]++;
    return counts;
  }

  /** Sites that owe something for a time. */
  owing(night: string): string[] {
    const there = this.#nights.get(night)?.values() ?? [];
    return [...there].filter(({ status }) => isOwed(status)).map(({ client_id }) => client_id);
  }

  /**
   * The time by which all sites are judged: the newest one at which at least half of all sites were asked.
   * A run by hand for a few sites says nothing about the others.
   */
  mainNight(nights: readonly string[]): string | null {
    const sizeOf = (night: string) => this.#nights.get(night)?.size ?? 0;
    const most = Math.max(0, ...nights.map(sizeOf));
    return nights.find((night) => sizeOf(night) * 2 >= most) ?? null;
  }

  /**
   * The sites of these times: those that owe something for the main time first, then those that owe more.
   */
  rowsOf(nights: readonly string[]): SiteRow[] {
    const owed = new Map<string, number>();
    for (const night of nights) {
      for (const [clientId, { status }] of this.#nights.get(night) ?? []) {
        owed.set(clientId, (owed.get(clientId) ?? 0) + Number(isOwed(status)));
      }
    }
    const main = this.mainNight(nights);
    const rows = [...owed].map(([clientId, count]) => ({
      row: { clientId, owed: count },
      rank: rankOf(main === null ? undefined : this.get(main, clientId)?.status),
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
    let next: number | null = null;
    for (const there of this.#nights.values()) {
      for (const { status, due_at } of there.values()) {
        if (status !== "expected" && status !== "running") continue;
        const at = Date.parse(due_at);
        if (next === null || at < next) next = at;
      }
    }
    return next;
  }

  /** Local times with deliveries that are due but still expected. @param now ms since 1970 */
  overdue(now: number): string[] {
    return [...this.#nights]
      .filter(([, there]) =>
        there
          .values()
          .some(
            ({ status, due_at }) =>
              (status === "expected" || status === "running") && Date.parse(due_at) <= now,
          ),
      )
      .map(([night]) => night);
  }
}

/** Only owing matters for the order, so rows do not move while files arrive. */
function rankOf(status: DeliveryStatus | undefined): number {
  if (status === "missing") return 0;
  return status === "partial" ? 1 : 2;
}
