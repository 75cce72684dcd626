import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { ApiCallError, isTransient } from "../../lib/cli/rest/api-errors.ts";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import type { Random } from "../support/random.ts";
import { versionOf } from "../support/sources.ts";
import type { ChangingSource } from "./changing-source.ts";
import type { World } from "./world.ts";

/** Share of all downloads that is cancelled, and share of the failed ones that is retried. */
const CANCELLED = 0.12;
const RETRIED = 0.5;
/** A cancel comes at most this long after the request, in ms. */
const CANCEL_WITHIN = 1500;
/** Between two tries at a server that is away, in ms. */
const TRY_AGAIN = 200;
/** Large files are asked for seldom: one of so many bytes half as often as one of none. */
const HALF_AS_OFTEN = 8 * 1024 * 1024;

/** What operators saw, together. */
export interface Ledger {
  /** Downloads that had ended when they were last seen. */
  ended: Map<string, DownloadRecord>;
  /** Published files that were compared and taken away. */
  taken: Set<string>;
  /** What must not be, one line each. */
  violations: string[];
}

/** Somebody who pulls files, changes their mind at times, and takes away what came. */
export class Operator {
  constructor(
    private readonly world: World,
    private readonly ledger: Ledger,
    private readonly random: Random,
  ) {}

  /** One file: from the request to its end, whatever happens on the way. */
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
      // It was quicker, or its answer was lost and it is cancelled by now.
      const late = error instanceof ApiCallError && error.code === "download_already_ended";
      if (!late) throw error;
    }
  }

  /** Waits for the end, compares what came, and takes it away. */
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

  /** Repeats a call until the server is there and has room. */
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

/** All downloads on record, by the pages that REST gives. */
export async function allRecords({ system }: World): Promise<DownloadRecord[]> {
  const records: DownloadRecord[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await system.api.downloads({ limit: "1000", ...(cursor && { cursor }) });
    records.push(...page.downloads);
    cursor = page.next_cursor;
  }
  return records;
}
