import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { checkedDownloadId, isDownloadId } from "./paths.ts";

/** A file or folder on the disk that stores the bytes of one attempt. */
export interface AttemptPath {
  path: string;
  epoch: number;
}

/**
 * Names the files and folders of unfinished downloads: `<download_id><suffix>`, or
 * `<download_id>.<epoch><suffix>` if several servers write. With an epoch, each attempt has its own file. So
 * a server that has not noticed that another one took over the download cannot write to the new attempt's
 * file.
 */
export class AttemptNames {
  /**
   * The key is a download's id. The value is the epoch of this process's latest attempt that is over. This
   * process no longer writes to that attempt's file.
   */
  readonly #ended = new Map<string, number>();

  constructor(
    private readonly folder: string,
    private readonly suffix: string,
    /** True: several servers write to the folder. */
    private readonly isShared: boolean,
  ) {}

  pathOf(downloadId: string, epoch: number): string {
    const id = checkedDownloadId(downloadId);
    return join(this.folder, `${id}${this.isShared ? `.${epoch}` : ""}${this.suffix}`);
  }

  /** Returns the file of the latest attempt whose epoch is at most `upTo`; null if there is none. */
  async latest(downloadId: string, upTo: number): Promise<AttemptPath | null> {
    const all = await this.all(downloadId);
    return all.findLast(({ epoch }) => epoch <= upTo) ?? null;
  }

  /** Returns the files of all attempts of a download, earliest first. */
  async all(downloadId: string): Promise<AttemptPath[]> {
    checkedDownloadId(downloadId);
    const attempts = (await this.#read()).filter((each) => each.downloadId === downloadId);
    return attempts.toSorted((a, b) => a.epoch - b.epoch);
  }

  /** Returns the ids of the downloads that have files in the folder. */
  async list(): Promise<string[]> {
    return [...new Set((await this.#read()).map(({ downloadId }) => downloadId))];
  }

  /** Records that an attempt of this process no longer writes to its file. */
  recordEnd(downloadId: string, epoch: number): void {
    if (this.isShared) this.#ended.set(downloadId, epoch);
  }

  /** Whether it is certain that no process still writes to the file of an attempt. */
  hasNoWriter(downloadId: string, epoch: number): boolean {
    return !this.isShared || this.#ended.get(downloadId) === epoch;
  }

  forget(downloadId: string): void {
    this.#ended.delete(downloadId);
  }

  async #read(): Promise<(AttemptPath & { downloadId: string })[]> {
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
