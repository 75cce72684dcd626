import type { DeliveryRecord, DeliveryStatus } from "../../api/deliveries.ts";
import { type DeliveryCounts, isOwed, WORST_FIRST } from "./delivery-words.ts";

/** A site, and how it stands. */
export interface SiteRow {
  clientId: string;
  /** Times of those shown for which it owes something. */
  owed: number;
}

/** By name, and by number where a name has one. */
const byName = new Intl.Collator("en", { numeric: true });

/**
 * What one schedule expects of each site at each of its times, as far as it is known. A time is that of
 * the clock on the wall, `2026-11-30T02:30:00`, and the same for sites of all zones.
 */
export class DeliveryBook {
  /** The deliveries of each site, by local time. */
  readonly #nights = new Map<string, Map<string, DeliveryRecord>>();
  /** The local time for which a job asks. */
  readonly #jobs = new Map<string, string>();
  #size = 0;

  /** How many deliveries are known. */
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

  /** The local time that a job asks for; undefined: it is none of those that are known. */
  nightOf(jobId: string): string | undefined {
    return this.#jobs.get(jobId);
  }

  /** The newest local times, the newest first. */
  nights(most: number): string[] {
    return [...this.#nights.keys()].toSorted().toReversed().slice(0, most);
  }

  countsOf(night: string): DeliveryCounts {
    const counts = Object.fromEntries(WORST_FIRST.map((status) => [status, 0])) as DeliveryCounts;
    for (const { status } of this.#nights.get(night)?.values() ?? []) counts[status]++;
    return counts;
  }

  /** Who owes something of a time. */
  owing(night: string): string[] {
    const there = this.#nights.get(night)?.values() ?? [];
    return [...there].filter(({ status }) => isOwed(status)).map(({ client_id }) => client_id);
  }

  /**
   * The time that the whole fleet is judged by: the newest one that at least half as many sites as ever
   * were asked for. A few that somebody asked by hand say nothing of the others.
   */
  mainNight(nights: readonly string[]): string | null {
    const sizeOf = (night: string) => this.#nights.get(night)?.size ?? 0;
    const most = Math.max(0, ...nights.map(sizeOf));
    return nights.find((night) => sizeOf(night) * 2 >= most) ?? null;
  }

  /** The sites of these times: who owes something of the main one first, then who owes more. */
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

  /** When the next of those that are awaited is due, ms since 1970; null: none is. */
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

  /** Local times of which something is due by then and awaited still. @param now ms since 1970 */
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

/** Only who owes comes before the others: rows do not move about as files come. */
function rankOf(status: DeliveryStatus | undefined): number {
  if (status === "missing") return 0;
  return status === "partial" ? 1 : 2;
}
