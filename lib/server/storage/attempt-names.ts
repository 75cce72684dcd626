import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { checkedDownloadId, isDownloadId } from "./paths.ts";

/** A file or folder of an attempt on the disk. */
export interface OfAttempt {
  path: string;
  epoch: number;
}

/**
 * Names of unfinished files and folders: `<download_id><suffix>`, or `<download_id>.<epoch><suffix>` where
 * several servers write. Then each attempt has its own name: a server that lost a download, and does not
 * know it yet, keeps writing where nobody reads.
 */
export class AttemptNames {
  /** Finished attempts of this process by download: nobody writes to their files any more. */
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

  /** The file of the latest attempt up to an epoch that has one. */
  async latest(downloadId: string, upTo: number): Promise<OfAttempt | null> {
    const all = await this.all(downloadId);
    return all.findLast(({ epoch }) => epoch <= upTo) ?? null;
  }

  /** The files of all attempts, earliest first. */
  async all(downloadId: string): Promise<OfAttempt[]> {
    checkedDownloadId(downloadId);
    const own = (await this.#read()).filter((each) => each.downloadId === downloadId);
    return own.toSorted((a, b) => a.epoch - b.epoch);
  }

  /** Ids of the downloads that have any. */
  async list(): Promise<string[]> {
    return [...new Set((await this.#read()).map(({ downloadId }) => downloadId))];
  }

  /** Records that an attempt of this process has ended. */
  isOver(downloadId: string, epoch: number): void {
    if (this.isShared) this.#over.set(downloadId, epoch);
  }

  /** Whether certainly nobody writes to an attempt's file any more. */
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
