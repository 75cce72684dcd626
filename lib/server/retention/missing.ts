import { pauses } from "../../util/fair-turns.ts";
import type { Audit } from "../audit/audit.ts";
import type { Repository } from "../database/repository.ts";
import type { Stored } from "../keep.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Storage } from "../storage/storage.ts";

/** Rows that are read at a time. */
const PAGE = 500;
/** Shortest time between two looks at the storage, in ms; at least ten times as long as a look takes. */
const LOOK_AGAIN_MS = 2_000;
const LOOK_SHARE = 10;

export interface MissingOptions {
  repository: Pick<Repository, "keep" | "latestRevision" | "sets">;
  storage: Pick<Storage, "namesOf" | "sets">;
  metrics: Metrics;
  audit: Pick<Audit, "record">;
  /** Called when a download was marked. */
  onChange: () => void;
}

/**
 * Finds content that people took out of the storage by hand, and marks it as removed. It deletes nothing: a
 * network folder may show an old state, and what seems to be missing may have just arrived.
 */
export class Missing {
  /** When a client may be looked at again, by `performance.now`; null: all clients. */
  readonly #again = new Map<string | null, number>();

  constructor(private readonly options: MissingOptions) {}

  /**
   * Looks for missing content, unless that was done just now.
   * @param clientId null: all clients
   * @returns how many downloads were marked
   * @throws FdsError `storage_error`
   */
  async notice(clientId: string | null): Promise<number> {
    const begun = performance.now();
    if (begun < (this.#again.get(clientId) ?? 0)) return 0;
    this.#again.set(clientId, Infinity);
    try {
      const { keep } = this.options.repository;
      const clients = clientId === null ? await keep.clientsStored() : [clientId];
      let marked = 0;
      for (const each of clients) marked += await this.#noticeOf(each);
      return marked;
    } finally {
      const took = performance.now() - begun;
      this.#again.set(clientId, begun + Math.max(LOOK_AGAIN_MS, took * LOOK_SHARE));
    }
  }

  async #noticeOf(clientId: string): Promise<number> {
    const { repository, storage } = this.options;
    // Read before the names: everything completed by then has its name.
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
    // Before the mark: after an interruption, the next look repeats it.
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

/** Whether the file, or the set's folder, no longer has its name. */
function isMissing({ savedPath }: Stored, names: ReadonlySet<string>): boolean {
  return savedPath !== null && !names.has(savedPath.slice(savedPath.indexOf("/") + 1));
}
