import { expect } from "bun:test";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import type { DownloadErrorCode } from "../../lib/protocol/errors.ts";
import { type Footprint, footprintOf, HAS_PROC } from "./footprint.ts";
import type { Program } from "./programs.ts";
import type { Proxy } from "./proxy.ts";
import { type Row, rowsOf } from "./rows.ts";
import type { Version } from "./sources.ts";
import type { System } from "./system.ts";
import { waitFor } from "./wait.ts";

const MiB = 1024 * 1024;

/** What is safe is recorded after this many bytes at the latest. */
const CHECKPOINT = 8 * MiB;
/** Frames of 1 MiB have 48 bytes of headers, those of a slow start more; and a few messages. */
const HEADERS = MiB / 2;

/** Descriptors that come and go: REST connections that are kept for the next call. */
const SPARE_DESCRIPTORS = 8;
/** What a runtime may keep of what was freed, beside the window. */
const SPARE_MEMORY = 128 * MiB;

/** What must have become of a download: the file that was wanted, or the code it fails with. */
export type Verdict = Version | DownloadErrorCode | "cancelled";

export interface Outcome {
  /** Every download of the run. */
  wanted: Map<string, Verdict>;
  /** How often something was broken. */
  breaks: number;
}

/**
 * The invariants A to F of lib/README.md on a system, from {@link watch} on. The sources must be what they
 * were, unless a verdict says otherwise.
 */
export class Invariants {
  readonly #sentBefore: number;

  private constructor(
    private readonly system: System,
    private readonly proxy: Proxy,
    private readonly window: number,
    private readonly before: Map<string, Footprint>,
  ) {
    this.#sentBefore = proxy.sent.up;
  }

  /**
   * Looks at what there is before anything breaks; all programs run, nothing is under way.
   * @param window most bytes that the server grants beyond what it wrote, its `RECEIVE_BUDGET`
   */
  static async watch(system: System, proxy: Proxy, window: number): Promise<Invariants> {
    const before = new Map<string, Footprint>();
    for (const program of HAS_PROC ? system.programs : []) {
      before.set(program.name, await footprintOf(program));
    }
    return new Invariants(system, proxy, window, before);
  }

  /**
   * B, at any moment, also while nothing runs: every byte below a recorded safe offset is there,
   * and is the source's.
   */
  async expectSafe(): Promise<void> {
    for (const downloadId of rowsOf(this.system).keys()) {
      // A row that changes while its part is looked at proves nothing.
      await waitFor(async () => {
        const row = rowsOf(this.system).get(downloadId);
        if (!row || (await this.#isSafe(row))) return true;
        if (!Bun.deepEquals(row, rowsOf(this.system).get(downloadId))) return false;
        throw new Error(`the first ${row.safe_offset} bytes are not there: ${JSON.stringify(row)}`);
      }, "a row that stays as it is");
    }
  }

  /** Everything, once all is said and done: waits for the downloads and for what is let go of. */
  async expectAll({ wanted, breaks }: Outcome): Promise<void> {
    await this.expectEnded(wanted);
    await this.expectSafe();
    await this.system.expectTidy();
    this.expectFewBytesTwice(wanted, breaks);
    for (const program of HAS_PROC ? this.system.programs : []) {
      await this.#expectNothingLeftBy(program);
    }
  }

  /** A, C and F: each download ends, as it should, and REST tells what is recorded. */
  async expectEnded(wanted: Map<string, Verdict>): Promise<void> {
    for (const [downloadId, verdict] of wanted) {
      const record = await this.system.ended(downloadId);
      const row = rowsOf(this.system).get(downloadId);
      expect(row).toMatchObject({ status: record.status, total_size: record.total_size });
      if (typeof verdict !== "string") await this.system.expectDelivered(record, verdict);
      else if (verdict === "cancelled") expect(record.status).toBe("cancelled");
      else this.#expectFailed(record, verdict);
    }
    const { active_downloads } = await this.system.api.health();
    expect(active_downloads).toBe(0);
  }

  /** D, where every download was delivered. */
  expectFewBytesTwice(wanted: Map<string, Verdict>, breaks: number): void {
    let useful = 0;
    for (const verdict of wanted.values()) {
      if (typeof verdict === "string") return;
      useful += verdict.size;
    }
    const sentTwice = this.proxy.sent.up - this.#sentBefore - useful;
    const allowed = breaks * (this.window + CHECKPOINT) + (1 + breaks + wanted.size) * HEADERS;
    expect(sentTwice).toBeLessThan(allowed);
  }

  #expectFailed(record: DownloadRecord, code: DownloadErrorCode): void {
    expect(record).toMatchObject({ status: "failed", error_code: code, md5: null });
    expect(record.error).not.toBeEmpty();
    expect(record.error).not.toContain(this.system.folder);
  }

  /** E: no descriptor, no part and no memory is kept. */
  async #expectNothingLeftBy(program: Program): Promise<void> {
    const before = this.before.get(program.name);
    if (!before) return;
    const parts = join(this.system.serverFolder, "parts/");
    let now = await footprintOf(program);
    const told = () => `${program.name} to let go of what it held: ${JSON.stringify(now)}`;
    await waitFor(async () => {
      now = await footprintOf(program);
      return (
        now.descriptors <= before.descriptors + SPARE_DESCRIPTORS &&
        now.memory <= before.memory + this.window + SPARE_MEMORY &&
        !now.files.some((path) => path.startsWith(parts) || path.startsWith(this.system.source("")))
      );
    }, told());
  }

  async #isSafe({
    download_id,
    file_path,
    safe_offset,
    status,
    saved_path,
  }: Row): Promise<boolean> {
    // Nothing is kept of a download that failed or was cancelled.
    if (safe_offset === 0 || status === "failed" || status === "cancelled") return true;
    const source = await md5OfPrefix(this.system.source(file_path), safe_offset);
    const part = join(this.system.serverFolder, "parts", `${download_id}.part`);
    const published = join(this.system.folder, "downloads", saved_path ?? "");
    const stored = await Promise.all(
      [part, published].map((path) => md5OfPrefix(path, safe_offset)),
    );
    return source !== null && stored.includes(source);
  }
}

/** @returns null where the file is not there */
async function md5OfPrefix(path: string, length: number): Promise<string | null> {
  const file = Bun.file(path);
  // A folder is none.
  if (!(await file.exists())) return null;
  const hash = new Bun.CryptoHasher("md5");
  for await (const block of file.slice(0, length).stream()) hash.update(block);
  return hash.digest("hex");
}
