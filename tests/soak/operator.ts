import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { ApiCallError, isTransient } from "../../lib/cli/rest/api-errors.ts";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import type { Random } from "../support/random.ts";
import { versionOf } from "../support/sources.ts";
import type { ChangingSource } from "./changing-source.ts";
import type { World } from "./world.ts";

/** Share of the downloads that are cancelled. */
const CANCELLED = 0.12;
/** Share of the failed and cancelled downloads that are retried. */
const RETRIED = 0.5;
/** Maximum time between a request and its cancel, in ms. */
const CANCEL_WITHIN = 1500;
/** Time between two tries to call a server that is away, in ms. */
const TRY_AGAIN = 200;
/**
 * Size of a file that is requested half as often as an empty file, in bytes. Larger files are requested still
 * less often.
 */
const HALF_AS_OFTEN = 8 * 1024 * 1024;

/** Observations of all simulated operators, for the final checks. */
export interface Ledger {
  /** Records of the downloads that had ended when last seen, by id. */
  ended: Map<string, DownloadRecord>;
  /** Paths of the published files that were compared and removed. */
  taken: Set<string>;
  /** Violations of the invariants, one line each. */
  violations: string[];
}

/**
 * A simulated operator who pulls files, sometimes cancels or retries a download, and removes what arrived.
 */
export class Operator {
  constructor(
    private readonly world: World,
    private readonly ledger: Ledger,
    private readonly random: Random,
  ) {}

  /** Pulls one file and waits for its end, perhaps with a cancel or a retry. */
  async pull(): Promise<void> {
    const { system, sites } = this.world;
    const site = this.random.pick(sites);
    const source = this.#pick(site.sources);
    const { download_id } = await this.#call(() =>
      system.api.startDownload({ client_id: site.id, file_path: source.filePath }),
    );
    if (this.random.float() < CANCELLED) await this.#cancel(download_id);
    const record = await this.#settled(download_id, source);
    if (record.status !== "completed" && this.random.float() < RETRIED) {
      const retried = await this.#call(() => system.api.retry(download_id));
      await this.#settled(retried.download_id, source);
    }
  }

  #pick(sources: ChangingSource[]): ChangingSource {
    for (;;) {
      const source = this.random.pick(sources);
      if (this.random.float() < HALF_AS_OFTEN / (HALF_AS_OFTEN + source.size)) return source;
    }
  }

  async #cancel(downloadId: string): Promise<void> {
    await this.world.rest(this.random.int(0, CANCEL_WITHIN));
    try {
      await this.#call(() => this.world.system.api.cancel(downloadId));
    } catch (error) {
      // The download ended before the cancel, or an earlier cancel succeeded although its answer was lost.
      const late = error instanceof ApiCallError && error.code === "download_already_ended";
      if (!late) throw error;
    }
  }

  /** Waits until a download has ended, compares the published file with the source, and removes it. */
  async #settled(downloadId: string, source: ChangingSource): Promise<DownloadRecord> {
    const { system } = this.world;
    const record = await this.#call(() =>
      system.api.watchDownload(downloadId, () => undefined, {
        pollInterval: TRY_AGAIN,
        signal: this.world.patience,
      }),
    );
    this.ledger.ended.set(downloadId, record);
    if (record.status !== "completed" || record.saved_path === null) return record;
    const path = join(system.folder, "downloads", record.saved_path);
    const found = await versionOf(path);
    const wanted = { size: record.total_size, md5: record.md5 };
    if (!Bun.deepEquals(found, wanted) || !source.wasEver(found)) {
      const what = `"${record.saved_path}" has ${JSON.stringify(found)}`;
      this.ledger.violations.push(`A: ${what}, recorded is ${JSON.stringify(wanted)}`);
    }
    this.ledger.taken.add(record.saved_path);
    await unlink(path);
    return record;
  }

  /** Repeats a call until the server answers and has free disk space. */
  async #call<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const { isFull } = this.world;
        const full = isFull && error instanceof ApiCallError && error.status >= 500;
        if (!full && !isTransient(error)) throw error;
      }
      await Bun.sleep(TRY_AGAIN);
    }
  }
}

/** Returns the records of all downloads, read page by page. */
export async function allRecords({ system }: World): Promise<DownloadRecord[]> {
  const records: DownloadRecord[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await system.api.downloads({ limit: "1000", ...(cursor && { cursor }) });
    records.push(...page.downloads);
    cursor = page.next_cursor;
  }
  return records;
}
