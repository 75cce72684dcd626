import type { Audit } from "../audit/audit.ts";
import type { Repository } from "../database/repository.ts";
import type { Stored } from "../keep.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Storage } from "../storage/storage.ts";

/** Rows that are read at a time. */
const PAGE = 500;
/** The storage is looked at again after this time, in ms, or after ten times what a look takes. */
const LOOK_AGAIN_MS = 2_000;
const LOOK_SHARE = 10;

export interface MissingOptions {
  repository: Pick<Repository, "keep" | "latestRevision" | "sets">;
  storage: Pick<Storage, "namesOf" | "sets">;
  metrics: Metrics;
  audit: Pick<Audit, "record">;
  /** A download is marked. */
  onChange: () => void;
}

/**
 * Notices what people took out of the storage by hand, and marks it as removed. It removes nothing: a
 * folder on a network may be shown as it was, and what seems to be gone may only just have come.
 */
export class Missing {
  /** When a client is looked at again, null for all of them, by `performance.now`. */
  readonly #again = new Map<string | null, number>();

  constructor(private readonly options: MissingOptions) {}

  /**
   * Looks for what is missing, unless that was done just now.
   * @param clientId null: of all clients
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
    // Before the names are read: what was completed by then had its name.
    const revision = await repository.latestRevision();
    const names = await storage.namesOf(clientId);
    let marked = 0;
    for (let after = "", isMore = true; isMore;) {
      const rows = await repository.keep.stored(clientId, revision, after, PAGE);
      for (const row of rows) if (isMissing(row, names)) marked += Number(await this.#mark(row));
      after = rows.at(-1)?.downloadId ?? after;
      isMore = rows.length === PAGE;
    }
    return marked;
  }

  async #mark({ downloadId }: Stored): Promise<boolean> {
    const { repository, storage, metrics, audit, onChange } = this.options;
    // Before the mark: where it is cut short, the next look does it again.
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

/** Whether the file, or the folder of the set, has its name no more. */
function isMissing({ savedPath }: Stored, names: ReadonlySet<string>): boolean {
  return savedPath !== null && !names.has(savedPath.slice(savedPath.indexOf("/") + 1));
}
