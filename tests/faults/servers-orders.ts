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
/** Files of a download that is a set. */
const IN_A_SET = 12;

/** A download that was asked for, and what may become of it. */
export interface Asked {
  downloadId: string;
  /** Path of the file or folder. */
  path: string;
  /** What each of its files held at some time, by their paths at the site. */
  versions: Map<string, Version[]>;
  /** Codes that it may fail with; `cancelled` too. None: it is completed. */
  mayEnd: string[];
  /** Its sources stay as they are. */
  isSteady: boolean;
}

/** How the bugs of `planted-bugs.ts` end a download. */
const BUGS: Record<string, string[]> = {
  "throws at a message": ["storage_error"],
  "throws at a frame": ["storage_error"],
  "throws later": [],
  "rejects, and nobody listens": [],
};

/** Asks for downloads of all kinds, each at whichever server answers. */
export class Orders {
  /** All that was asked for. */
  readonly asked: Asked[] = [];

  private constructor(
    private readonly stage: ServersStage,
    /** What is asked for. */
    private readonly random: Random,
    /** Which server is asked, again where it does not answer: how often is no matter of the seed. */
    private readonly servers: Random,
    private readonly earlier: ReadonlySet<string>,
  ) {}

  static async begin(stage: ServersStage, seed: number): Promise<Orders> {
    const earlier = new Set(await stage.history.ids());
    return new Orders(stage, new Random(seed + 1), new Random(seed + 2), earlier);
  }

  /** Adds those whose answer was lost: they were asked for again, and are there all the same. */
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

  /** Asks one server after the other, until one answers. */
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

  /** Asks for a file, a set, or something that is more to follow. */
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

  /** A file of so many bytes at most. */
  async #fileOf(name: string, most: number): Promise<Asked> {
    const version = await writeRandom(this.stage.group.source(name), this.random.int(1, most));
    return this.#pull(name, [version]);
  }

  /** A large file at each site. */
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

  /** Row 38: two of one file at once. */
  async #twice(name: string): Promise<void> {
    const version = await writeRandom(this.stage.group.source(name), this.random.int(1, 4 * MiB));
    const site = this.random.pick(SITES);
    await Promise.all([
      this.#pull(name, [version], { site }),
      this.#pull(name, [version], { site }),
    ]);
  }

  /** Row 29: its source grows, is replaced or deleted meanwhile. */
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

  /** Row 39: cancelled and asked for again as it may end by itself. */
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

  /** Row 42: it meets a bug of the server. */
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
 * A, C and F of one download: it ended as it may, all servers tell the same, and its bytes are there.
 * @returns the paths of what is published of it
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
