import { expect } from "bun:test";
import { appendFile, mkdir, rename, rm } from "node:fs/promises";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { ApiCallError } from "../../lib/cli/rest/api-errors.ts";
import type { ApiClient } from "../../lib/cli/rest/api-client.ts";
import { Random } from "../support/random.ts";
import { type Version, versionOf, writeRandom } from "../support/sources.ts";
import { waitFor } from "../support/wait.ts";
import { SERVERS, type ServersStage, SITES } from "./servers-stage.ts";

const MiB = 1024 * 1024;
/** The number of files in a set. */
const IN_A_SET = 12;

/** A requested download and its possible outcomes. */
export interface Asked {
  downloadId: string;
  /** Path of the file, or of the set's folder. */
  path: string;
  /** All contents that each file had over time, by the file's path at the site. */
  versions: Map<string, Version[]>;
  /** Error codes with which the download may fail, or `cancelled`. Empty: it must be completed. */
  mayEnd: string[];
  /** Whether the source files stay unchanged during the test. */
  isSteady: boolean;
}

/**
 * The bugs of `planted-bugs.ts` by name, each with the error codes with which a download that triggers it
 * may fail.
 */
const BUGS: Record<string, string[]> = {
  "throws at a message": ["storage_error"],
  "throws at a frame": ["storage_error"],
  "throws later": [],
  "rejects, and nobody listens": [],
};

/** Starts random downloads of all kinds, each by a random server. */
export class Orders {
  /** All downloads requested so far. */
  readonly asked: Asked[] = [];

  private constructor(
    private readonly stage: ServersStage,
    /** Random numbers that decide what is requested. */
    private readonly random: Random,
    /**
     * Random numbers that decide which server is asked. They are separate, because repeated calls to
     * servers that do not answer must not change the other random choices.
     */
    private readonly servers: Random,
    private readonly earlier: ReadonlySet<string>,
  ) {}

  static async begin(stage: ServersStage, seed: number): Promise<Orders> {
    const earlier = new Set(await stage.history.ids());
    return new Orders(stage, new Random(seed + 1), new Random(seed + 2), earlier);
  }

  /**
   * Adds to `asked` the downloads whose ids never arrived, because the server's response was lost. Each of
   * these requests was repeated, so its file has more than one download.
   */
  async addUnheard(): Promise<void> {
    const heard = new Set(this.asked.map(({ downloadId }) => downloadId));
    for (const downloadId of await this.stage.history.ids()) {
      if (this.earlier.has(downloadId) || heard.has(downloadId)) continue;
      const { file_path, paths } = await this.ask((api) => api.download(downloadId));
      const same = this.asked.find(({ path }) => path === (file_path ?? paths?.[0]));
      expect(same, `${file_path ?? paths}`).toBeDefined();
      this.asked.push({ ...same!, downloadId });
    }
  }

  /** Calls the API of random servers until one of them answers. */
  async ask<T>(question: (api: ApiClient) => Promise<T>): Promise<T> {
    let refusal: unknown;
    const look = async () => {
      try {
        return {
          answer: await question(this.stage.group.at(this.servers.int(0, SERVERS - 1)).api),
        };
      } catch (error) {
        if (error instanceof ApiCallError && error.status >= 400 && error.status < 500) throw error;
        refusal = error;
        return null;
      }
    };
    const found = await waitFor(look, "a server to answer").catch((cause: unknown) => {
      throw cause instanceof ApiCallError ? cause : new Error(String(refusal), { cause });
    });
    return found.answer;
  }

  /** Requests a random kind of download. */
  async next(name: string): Promise<void> {
    const kinds = [
      this.#file,
      this.#file,
      this.#set,
      this.#set,
      this.#twice,
      this.#changing,
      this.#cancelled,
      this.#bug,
    ];
    await this.random.pick(kinds).call(this, name);
  }

  async #file(name: string): Promise<void> {
    await this.#fileOf(name, 9 * MiB);
  }

  /** Requests a file of random size. @param most the maximum size, in bytes */
  async #fileOf(name: string, most: number): Promise<Asked> {
    const version = await writeRandom(this.stage.group.source(name), this.random.int(1, most));
    return this.#pull(name, [version]);
  }

  /** Requests one large file from each site. @returns the sum of their sizes, in bytes */
  async large(name: string, size: number): Promise<number> {
    for (const site of SITES) {
      const path = `${name}-${site}`;
      const version = await writeRandom(this.stage.group.source(path), size);
      await this.#pull(path, [version], { site });
    }
    return SITES.length * size;
  }

  async #set(name: string): Promise<void> {
    const { group } = this.stage;
    await mkdir(group.source(name));
    const versions = new Map<string, Version[]>();
    for (let n = 0; n < IN_A_SET; n++) {
      const path = `${name}/${n}`;
      const size = n === 5 ? 4 * MiB : this.random.int(1, 200_000);
      versions.set(path, [await writeRandom(group.source(path), size)]);
    }
    const order = { client_id: this.random.pick(SITES), paths: [name] };
    const { download_id } = await this.ask((api) => api.startDownload(order));
    this.asked.push({
      downloadId: download_id,
      path: name,
      versions,
      mayEnd: [],
      isSteady: true,
    });
  }

  /** Row 38 of the fault table: requests two downloads of one file at the same time. */
  async #twice(name: string): Promise<void> {
    const version = await writeRandom(this.stage.group.source(name), this.random.int(1, 4 * MiB));
    const site = this.random.pick(SITES);
    await Promise.all([
      this.#pull(name, [version], { site }),
      this.#pull(name, [version], { site }),
    ]);
  }

  /** Row 29 of the fault table: requests a file that grows, is replaced or is deleted during the download. */
  async #changing(name: string): Promise<void> {
    const path = this.stage.group.source(name);
    const size = this.random.int(MiB, 9 * MiB);
    const versions = [await writeRandom(path, size)];
    const asked = await this.#pull(name, versions, { isSteady: false });
    await Bun.sleep(this.random.int(0, 1_500));
    const how = this.random.pick(["grown", "replaced", "deleted"]);
    if (how === "grown") {
      await appendFile(path, "more of it");
      versions.push(await versionOf(path));
    } else if (how === "replaced") {
      versions.push(await writeRandom(`${path}.new`, this.random.int(1, size)));
      await rename(`${path}.new`, path);
      asked.mayEnd.push("source_changed");
    } else {
      await rm(path);
      asked.mayEnd.push("file_not_found", "source_changed");
    }
  }

  /** Row 39 of the fault table: cancels and retries a download while it may be ending by itself. */
  async #cancelled(name: string): Promise<void> {
    const asked = await this.#fileOf(name, 2 * MiB);
    asked.mayEnd.push("cancelled");
    await Bun.sleep(this.random.int(0, 800));
    const { downloadId } = asked;
    const answers = await Promise.all([
      this.#answerOf((api) => api.cancel(downloadId)),
      this.#answerOf((api) => api.retry(downloadId)),
      this.#answerOf((api) => api.cancel(downloadId)),
    ]);
    const retried = answers[1];
    if (typeof retried === "string") return;
    this.asked.push({ ...asked, downloadId: retried.download_id, mayEnd: [] });
  }

  /** Row 42 of the fault table: requests a file whose name triggers a planted bug in the server. */
  async #bug(): Promise<void> {
    const name = this.random.pick(Object.keys(BUGS));
    const path = this.stage.group.source(name);
    const isThere = await Bun.file(path).exists();
    const version = isThere ? await versionOf(path) : await writeRandom(path, 300_000);
    const asked = await this.#pull(name, [version]);
    asked.mayEnd.push(...(BUGS[name] ?? []));
  }

  async #answerOf<T>(question: (api: ApiClient) => Promise<T>): Promise<T | string> {
    try {
      return await this.ask(question);
    } catch (error) {
      if (error instanceof ApiCallError) return error.code;
      throw error;
    }
  }

  async #pull(
    name: string,
    versions: Version[],
    { site = this.random.pick(SITES), isSteady = true }: { site?: string; isSteady?: boolean } = {},
  ): Promise<Asked> {
    const order = { client_id: site, file_path: name };
    const { download_id } = await this.ask((api) => api.startDownload(order));
    const asked = {
      downloadId: download_id,
      path: name,
      versions: new Map([[name, versions]]),
      mayEnd: [],
      isSteady,
    };
    this.asked.push(asked);
    return asked;
  }
}

/**
 * Expects invariants A, C and F for one download: its outcome is allowed, all servers report the same, and
 * its files are right.
 * @returns the paths of its published files
 */
export async function expectOutcome(stage: ServersStage, asked: Asked): Promise<string[]> {
  const { group, history } = stage;
  const record = await group.ended(asked.downloadId);
  for (const { api } of group.members) {
    const told = await waitFor(() => api.download(asked.downloadId).catch(() => null), "an answer");
    expect(told).toEqual(record);
  }
  const [row] = await history.rows([asked.downloadId]);
  expect(row).toMatchObject({ status: record.status, saved_path: record.saved_path });
  if (record.status === "completed") return expectDelivered(stage, record, asked);
  const end = record.status === "failed" ? record.error_code : record.status;
  expect(asked.mayEnd, JSON.stringify(record)).toContain(end ?? "");
  expect(record.saved_path).toBeNull();
  if (record.status === "failed") {
    expect(record.error).not.toBeEmpty();
    expect(record.error).not.toContain(group.folder);
  }
  return [];
}

async function expectDelivered(
  stage: ServersStage,
  record: DownloadRecord,
  { versions }: Asked,
): Promise<string[]> {
  const saved = record.saved_path ?? "";
  const pathOf = (path: string) => (record.kind === "file" ? saved : `${saved}/${path}`);
  for (const [path, wanted] of versions) {
    expect(wanted).toContainEqual(await stage.storedAt(pathOf(path)));
  }
  expect(record.error).toBeNull();
  const own = [...versions.keys()].map(pathOf);
  return record.kind === "file" ? own : [...own, `${saved}.md5`];
}
