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

/** Largest number of bytes between two records of the durable offset. */
const CHECKPOINT = 8 * MiB;
/**
 * Bytes allowed for each download and each fault, for messages and frame headers. A frame of up to 1 MiB has
 * 48 bytes of headers: 34 of the protocol and 14 of WebSocket.
 */
const HEADERS = MiB / 2;

/** Descriptors that may stay open: idle HTTP connections, kept for the next call. */
const SPARE_DESCRIPTORS = 8;
/** Freed memory that the runtime may keep, in bytes, in addition to the window. */
const SPARE_MEMORY = 128 * MiB;

/** The expected result of a download: the file's size and checksum, an error code, or `cancelled`. */
export type Verdict = Version | DownloadErrorCode | "cancelled";

export interface Outcome {
  /** The expected result of every download of the run, by id. */
  wanted: Map<string, Verdict>;
  /** The number of faults injected during the run. */
  breaks: number;
}

/**
 * Checks the invariants A to F of lib/README.md on a system since {@link watch}. The source files must be
 * unchanged, except where a {@link Verdict} says otherwise.
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
   * Records the resources of all programs before faults begin. No download may be under way.
   * @param window the server's `RECEIVE_BUDGET`: the most bytes that it grants beyond those it has written
   */
  static async watch(system: System, proxy: Proxy, window: number): Promise<Invariants> {
    const before = new Map<string, Footprint>();
    for (const program of HAS_PROC ? system.programs : []) {
      before.set(program.name, await footprintOf(program));
    }
    return new Invariants(system, proxy, window, before);
  }

  /**
   * Expects invariant B, at any time: the bytes below each durable offset are stored and equal the source's.
   */
  async expectSafe(): Promise<void> {
    for (const downloadId of rowsOf(this.system).keys()) {
      // A row that changed during the check is checked again, as its part may have changed too.
      await waitFor(async () => {
        const row = rowsOf(this.system).get(downloadId);
        if (!row || (await this.#isSafe(row))) return true;
        if (!Bun.deepEquals(row, rowsOf(this.system).get(downloadId))) return false;
        throw new Error(`the first ${row.safe_offset} bytes are not there: ${JSON.stringify(row)}`);
      }, "a row that stays as it is");
    }
  }

  /**
   * Expects all invariants at the end of a run. Waits for the downloads to end and for resources to be
   * released.
   */
  async expectAll({ wanted, breaks }: Outcome): Promise<void> {
    await this.expectEnded(wanted);
    await this.expectSafe();
    await this.system.expectTidy();
    this.expectFewBytesTwice(wanted, breaks);
    for (const program of HAS_PROC ? this.system.programs : []) {
      await this.#expectNothingLeftBy(program);
    }
  }

  /**
   * Expects invariants A, C and F: each download ends with its expected result, and REST reports what is
   * recorded.
   */
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

  /**
   * Expects invariant D: a limit on the bytes sent twice. Skipped unless every download was to be delivered.
   */
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

  /** Expects invariant E: the program has released its descriptors, part files and memory. */
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
    }, told);
  }

  async #isSafe({
    download_id,
    file_path,
    safe_offset,
    status,
    saved_path,
  }: Row): Promise<boolean> {
    // A failed or cancelled download keeps no bytes.
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

/** Returns the MD5 of a file's first bytes. @returns null if the file does not exist */
async function md5OfPrefix(path: string, length: number): Promise<string | null> {
  const file = Bun.file(path);
  // `exists` is false for a folder too.
  if (!(await file.exists())) return null;
  const hash = new Bun.CryptoHasher("md5");
  for await (const block of file.slice(0, length).stream()) hash.update(block);
  return hash.digest("hex");
}
