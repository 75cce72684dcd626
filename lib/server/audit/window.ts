import { networkOf } from "../access/remote-address.ts";
import { type AuditEntry, type AuditRow, idOf, rowOf, shortened, standingOf } from "./entry.ts";

/** Rows of one actor, for one action and outcome. */
const MAX_OF_ACTOR = { ok: 2_000, failed: 100 };
/** The same of strangers, for each network. */
const MAX_OF_NETWORK = 10;
/** Networks of strangers that are told apart, for one action and outcome. */
const MAX_NETWORKS = 100;

/**
 * What happened in a stretch of time. What happens again and again is one row with a count; so is,
 * beyond a bound, all else of the same actor or network, and of strangers from everywhere. Acts, and
 * who did something, are never lost in that.
 */
export class AuditWindow {
  /** By what happened; each with how often since it was taken, perhaps 0. */
  readonly #rows = new Map<string, AuditRow>();
  /** How many rows there are of an actor, of a network, or networks of strangers. */
  readonly #counts = new Map<string, number>();

  /**
   * @param at ms since 1970
   * @returns a row that is to be written at once; null: it is counted with what was before
   */
  record(happened: AuditEntry, at: number): AuditRow | null {
    if (standingOf(happened) === "act") return rowOf(happened, at);
    const entry = shortened(happened);
    if (this.#countAgain(entry, at)) return null;
    const told = standingOf(entry) === "known" ? this.#ofKnown(entry) : this.#ofStranger(entry);
    if (told !== entry && this.#countAgain(told, at)) return null;
    const row = rowOf(told, at);
    this.#rows.set(keyOf(told), { ...row, count: 0 });
    return row;
  }

  /** What was counted since the last time. */
  take(): AuditRow[] {
    const counted = this.#rows.values().filter(({ count }) => count > 0);
    return counted
      .map((row) => {
        const taken = { ...row, auditId: idOf(row.lastAt) };
        row.count = 0;
        return taken;
      })
      .toArray();
  }

  /** @returns false: it did not happen before */
  #countAgain(entry: AuditEntry, at: number): boolean {
    const row = this.#rows.get(keyOf(entry));
    if (!row) return false;
    if (row.count === 0) row.at = at;
    row.count++;
    row.lastAt = at;
    return true;
  }

  /** The entry, or what is left of it where its actor has too many rows. */
  #ofKnown(entry: AuditEntry): AuditEntry {
    const { action, outcome, actor, clientId } = entry;
    const who = { action, outcome, ...(actor == null ? { clientId } : { actor }) };
    const most = outcome === "ok" ? MAX_OF_ACTOR.ok : MAX_OF_ACTOR.failed;
    return this.#hasRoom(keyOf(who), most) ? entry : who;
  }

  /** The entry, or what is left of it where its network, or too many networks, have too many rows. */
  #ofStranger(entry: AuditEntry): AuditEntry {
    const { action, outcome } = entry;
    const network = networkOf(entry.address ?? "");
    const group = JSON.stringify([action, outcome, network]);
    if (!this.#counts.has(group) && !this.#hasRoom(keyOf({ action, outcome }), MAX_NETWORKS)) {
      return { action, outcome };
    }
    if (this.#hasRoom(group, MAX_OF_NETWORK)) return entry;
    return { action, outcome, address: network === entry.address ? network : `${network}::/64` };
  }

  /** Counts one more, if there may be one more. */
  #hasRoom(key: string, most: number): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count >= most) return false;
    this.#counts.set(key, count + 1);
    return true;
  }
}

function keyOf(entry: AuditEntry): string {
  const { action, outcome, actor, address, target, clientId, downloadId, filePath } = entry;
  return JSON.stringify([action, outcome, actor, address, target, clientId, downloadId, filePath]);
}
