import { networkOf } from "../access/remote-address.ts";
import { type AuditEntry, type AuditRow, idOf, rowOf, shortened, standingOf } from "./entry.ts";

/**
 * Maximum number of rows in one window of time for each actor, action and outcome. `ok`: the action
 * succeeded. `failed`: it failed.
 */
const MAX_OF_ACTOR = { ok: 2_000, failed: 100 };
/**
 * Maximum number of rows in one window of time for each network, action and outcome, if the callers have no
 * access.
 */
const MAX_OF_NETWORK = 10;
/**
 * Maximum number of networks of callers without access that get rows of their own for one action and outcome.
 */
const MAX_NETWORKS = 100;

/**
 * Merges the actions of a span of time into few rows, except for actions that changed something for good.
 * Equal actions are counted in one row. If there are too many rows of an actor, its further actions are
 * counted in a row that has no details except the actor. The rows of callers without access are limited in
 * the same way for each network. If there are too many networks, the actions from further ones are counted in
 * a row without an address.
 */
export class AuditWindow {
  /**
   * The rows of the window. The key is the text that {@link keyOf} makes from the fields of the entry.
   * `count` is the number of repetitions since the last {@link take}.
   */
  readonly #rows = new Map<string, AuditRow>();
  /**
   * Counts for the limits above: the rows of each actor, the rows of each network, and the networks. Each
   * count is for one action and outcome. The key is a text that names what is counted.
   */
  readonly #counts = new Map<string, number>();

  /**
   * Records an action.
   * @param at ms since 1970
   * @returns a row to write at once; null: the action was counted in an earlier row
   */
  record(fullEntry: AuditEntry, at: number): AuditRow | null {
    if (standingOf(fullEntry) === "act") return rowOf(fullEntry, at);
    const entry = shortened(fullEntry);
    if (this.#countRepetition(entry, at)) return null;
    const recorded =
      standingOf(entry) === "known" ? this.#entryOfKnown(entry) : this.#entryOfStranger(entry);
    if (recorded !== entry && this.#countRepetition(recorded, at)) return null;
    const row = rowOf(recorded, at);
    this.#rows.set(keyOf(recorded), { ...row, count: 0 });
    return row;
  }

  /** Returns rows for the repetitions since the last call, and starts counting again. */
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

  /** Counts an entry as a repetition. @returns false: no row has the same entry */
  #countRepetition(entry: AuditEntry, at: number): boolean {
    const row = this.#rows.get(keyOf(entry));
    if (!row) return false;
    if (row.count === 0) row.at = at;
    row.count++;
    row.lastAt = at;
    return true;
  }

  /**
   * Returns the entry of an actor with access: unchanged, or without its details if the actor has too many
   * rows.
   */
  #entryOfKnown(entry: AuditEntry): AuditEntry {
    const { action, outcome, actor, clientId } = entry;
    const withoutDetails = { action, outcome, ...(actor == null ? { clientId } : { actor }) };
    const maxRows = outcome === "ok" ? MAX_OF_ACTOR.ok : MAX_OF_ACTOR.failed;
    return this.#tryCount(keyOf(withoutDetails), maxRows) ? entry : withoutDetails;
  }

  /**
   * Returns the entry of a caller without access: unchanged, or without its details if its network has too
   * many rows or there are too many such networks.
   */
  #entryOfStranger(entry: AuditEntry): AuditEntry {
    const { action, outcome } = entry;
    const network = networkOf(entry.address ?? "");
    const group = JSON.stringify([action, outcome, network]);
    if (!this.#counts.has(group) && !this.#tryCount(keyOf({ action, outcome }), MAX_NETWORKS)) {
      return { action, outcome };
    }
    if (this.#tryCount(group, MAX_OF_NETWORK)) return entry;
    return { action, outcome, address: network === entry.address ? network : `${network}::/64` };
  }

  /** Counts one more row for a key, unless the limit is reached. @returns whether it was counted */
  #tryCount(key: string, maxCount: number): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count >= maxCount) return false;
    this.#counts.set(key, count + 1);
    return true;
  }
}

function keyOf(entry: AuditEntry): string {
  const { action, outcome, actor, address, target, clientId, downloadId, filePath } = entry;
  return JSON.stringify([action, outcome, actor, address, target, clientId, downloadId, filePath]);
}
