import { pauses } from "../../util/fair-turns.ts";
import type { Audit } from "../audit/audit.ts";
import type { Repository } from "../database/repository.ts";
import type { Stored } from "../keep.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Storage } from "../storage/storage.ts";

/** Maximum number of rows of downloads that one query reads. */
const PAGE = 500;
/**
 * Shortest time between two searches of the storage, in ms. The time is also at least `PAUSE_FACTOR` times as
 * long as the last search took.
 */
const SEARCH_EVERY_MS = 2_000;
const PAUSE_FACTOR = 10;

export interface MissingOptions {
  repository: Pick<Repository, "keep" | "latestRevision" | "sets">;
  storage: Pick<Storage, "namesOf" | "sets">;
  metrics: Metrics;
  audit: Pick<Audit, "record">;
  /** Called when a download was marked as removed. */
  onChange: () => void;
}

/**
 * Finds downloads whose content somebody deleted from the storage by hand, and marks them as removed. Nothing
 * is deleted here, as a network folder may show an old state, and a file that seems missing may have just
 * arrived.
 */
export class Missing {
  /**
   * Earliest time of the next search for missing content, by `performance.now`. The key is the id of the
   * client whose content is searched; null: a search of the content of all clients.
   */
  readonly #nextSearchAt = new Map<string | null, number>();

  constructor(private readonly options: MissingOptions) {}

  /**
   * Searches for missing content, unless that was done a short time ago.
   * @param clientId the client whose content is checked; null: all clients
   * @returns the number of downloads that were marked as removed
   * @throws FdsError `storage_error`
   */
  async markMissing(clientId: string | null): Promise<number> {
    const startedAt = performance.now();
    if (startedAt < (this.#nextSearchAt.get(clientId) ?? 0)) return 0;
    this.#nextSearchAt.set(clientId, Infinity);
    try {
      const { keep } = this.options.repository;
      const clients = clientId === null ? await keep.clientsStored() : [clientId];
      let marked = 0;
      for (const id of clients) marked += await this.#markMissingOf(id);
      return marked;
    } finally {
      const tookMs = performance.now() - startedAt;
      this.#nextSearchAt.set(
        clientId,
        startedAt + Math.max(SEARCH_EVERY_MS, tookMs * PAUSE_FACTOR),
      );
    }
  }

  async #markMissingOf(clientId: string): Promise<number> {
    const { repository, storage } = this.options;
    // A row says `completed` only after the content is stored. The revision is read before the names of the
    // stored files, and only rows that have not changed since that revision are checked. So a missing name
    // means that somebody deleted the content.
    const revision = await repository.latestRevision();
    const names = await storage.namesOf(clientId);
    const pause = pauses();
    let marked = 0;
    for (let after = "", isMore = true; isMore;) {
      const rows = await repository.keep.stored(clientId, revision, after, PAGE);
      for (const row of rows) {
        await pause();
        if (isMissing(row, names)) marked += Number(await this.#mark(row));
      }
      after = rows.at(-1)?.downloadId ?? after;
      isMore = rows.length === PAGE;
    }
    return marked;
  }

  async #mark({ downloadId }: Stored): Promise<boolean> {
    const { repository, storage, metrics, audit, onChange } = this.options;
    // The bytes that other sets share with this one are first attributed to those sets. If the process ends
    // before the download is marked, the next search finds the download again and repeats this.
    if (storage.sets.sharesBytes) await repository.sets.handOver(downloadId);
    const marked = await repository.keep.markMissing(downloadId, Date.now());
    if (!marked) return false;
    metrics.removedBytes += marked.storedBytes;
    const { clientId, filePath } = marked;
    const target = "removed by hand";
    audit.record({
      action: "content_remove",
      outcome: "ok",
      target,
      clientId,
      downloadId,
      filePath,
    });
    onChange();
    return true;
  }
}

/** Reports whether the storage no longer has the file, or the set's folder, of a download. */
function isMissing({ savedPath }: Stored, names: ReadonlySet<string>): boolean {
  return savedPath !== null && !names.has(savedPath.slice(savedPath.indexOf("/") + 1));
}
