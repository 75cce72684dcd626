import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { checkedDownloadId, isDownloadId } from "./paths.ts";

/** What an attempt has on the disk. */
export interface OfAttempt {
  path: string;
  epoch: number;
}

/**
 * Names of what is under way: `<download_id><suffix>`, or, where several servers write,
 * `<download_id>.<epoch><suffix>`. Each attempt has a name of its own there: a server that lost a
 * download and does not know it yet goes on writing where nobody reads.
 */
export class AttemptNames {
  /** Attempts of this process that are over, by their downloads: nobody writes to what they have. */
  readonly #over = new Map<string, number>();

  constructor(
    private readonly folder: string,
    private readonly suffix: string,
    /** Whether several servers write. */
    private readonly isShared: boolean,
  ) {}

  pathOf(downloadId: string, epoch: number): string {
    const id = checkedDownloadId(downloadId);
    return join(this.folder, `${id}${this.isShared ? `.${epoch}` : ""}${this.suffix}`);
  }

  /** What the latest attempt up to an epoch has, of which there is something. */
  async latest(downloadId: string, upTo: number): Promise<OfAttempt | null> {
    const all = await this.all(downloadId);
    return all.findLast(({ epoch }) => epoch <= upTo) ?? null;
  }

  /** What all attempts have, the earliest first. */
  async all(downloadId: string): Promise<OfAttempt[]> {
    checkedDownloadId(downloadId);
    const own = (await this.#read()).filter((each) => each.downloadId === downloadId);
    return own.toSorted((a, b) => a.epoch - b.epoch);
  }

  /** Ids of the downloads of which there is something. */
  async list(): Promise<string[]> {
    return [...new Set((await this.#read()).map(({ downloadId }) => downloadId))];
  }

  /** An attempt of this process has ended. */
  isOver(downloadId: string, epoch: number): void {
    if (this.isShared) this.#over.set(downloadId, epoch);
  }

  /** Whether it is sure that nobody writes to what an attempt has. */
  isAtRest(downloadId: string, epoch: number): boolean {
    return !this.isShared || this.#over.get(downloadId) === epoch;
  }

  forget(downloadId: string): void {
    this.#over.delete(downloadId);
  }

  async #read(): Promise<(OfAttempt & { downloadId: string })[]> {
    const names = await readdir(this.folder);
    return names.flatMap((name) => {
      if (!name.endsWith(this.suffix)) return [];
      const [downloadId = "", epoch, ...rest] = name.slice(0, -this.suffix.length).split(".");
      const isOurs = isDownloadId(downloadId) && rest.length === 0;
      if (!isOurs || (epoch !== undefined && !/^\d+$/.test(epoch))) return [];
      return [{ downloadId, epoch: Number(epoch ?? 0), path: join(this.folder, name) }];
    });
  }
}
