import type { Problem } from "../../protocol/errors.ts";
import { release } from "../../util/release.ts";
import { nameOfSet, type SetOrder } from "../set.ts";
import { longestSetPath } from "../storage/names.ts";
import { broken } from "./incoming-attempt.ts";
import type { Outcome } from "./incoming-stream.ts";
import { linkUnchanged } from "./link-unchanged.ts";
import { ManifestReader } from "./manifest-reader.ts";
import type { OpenSet } from "./open-set.ts";
import { selections } from "./set-request.ts";

/**
 * How long a walk that finds no file may go on, in ms. Our clients walk for 10 minutes at most, and start a
 * little after the request is sent.
 */
const SILENT_WALK_MS = 15 * 60_000;
/** Most characters of the error for a set without matching files. */
const MAX_MESSAGE = 1_000;

/** Receives the manifest of a set: the client walks through its folders, and each line becomes a row. */
export class IncomingManifest {
  readonly #reader: ManifestReader;
  /** Number of names that the client has looked at. */
  #seen = 0;
  // Monotonic, in ms.
  #namedAt = performance.now();
  #unmatched: number[] | null = null;

  constructor(readonly set: OpenSet) {
    const { order, download } = set;
    const folderBytes = longestSetPath(download.clientId, nameOfSet(order)) + "/".length;
    this.#reader = new ManifestReader(order, folderBytes);
  }

  /** Asks for the manifest. */
  ask(): void {
    const { order, tell } = this.set;
    for (const selection of selections(order.paths, order.exclude)) tell(selection);
    tell({
      type: "set_list",
      min_age_ms: order.minAgeMs,
      max_files: order.maxFiles,
      ...(order.maxBytes !== null && { max_bytes: order.maxBytes }),
    });
  }

  /** Indices of the patterns that no file matches; null: the client does not say. */
  get unmatched(): number[] | null {
    return this.#unmatched;
  }

  /** Takes these indices from the client. @throws FdsError `protocol_error` for a pattern that does not exist */
  takeUnmatched(unmatched: number[]): void {
    const { paths } = this.set.order;
    if (unmatched.some((index) => index >= paths.length)) throw broken("a set has no such pattern");
    this.#unmatched = unmatched;
  }

  /** Records the files whose lines are complete. @throws FdsError see {@link ManifestReader.read} */
  async take(bytes: Uint8Array): Promise<void> {
    const { rows, download, stalled } = this.set;
    this.#namedAt = performance.now();
    stalled.moved(bytes.length);
    const files = await this.#reader.read(bytes);
    release(bytes);
    await rows.insert(download, download.clientId, files);
  }

  /**
   * A long walk counts as an answer while it looks at more names; without a matching file, only for some
   * time.
   */
  proving(names: number): void {
    if (names <= this.#seen || performance.now() - this.#namedAt > SILENT_WALK_MS) return;
    this.#seen = names;
    this.set.stalled.restart();
  }

  /**
   * Handles the complete manifest: checks its contents, and links files that are stored already.
   * @param chunkSize most bytes in a frame, as agreed with the client
   * @returns the outcome of the set where no file is to come; else null
   * @throws FdsError `protocol_error` when the last line is not complete
   */
  async finish(chunkSize: number): Promise<Outcome | null> {
    const { order, rows, download, tally } = this.set;
    this.#reader.end();
    await tally.read(rows, download.downloadId);
    if (tally.counts.total === 0) {
      if (order.ifNone === "complete") return { type: "nothing", chunkSize };
      return { type: "failed", problem: noFile(order), final: true };
    }
    const { firstLost } = this.#reader;
    // Files left for a later set are no failure, even in a strict set.
    if (order.strict && firstLost) return { type: "failed", problem: firstLost, final: true };
    if (order.unchanged !== "send") {
      await linkUnchanged({ ...this.set, onLinked: (file) => tally.unchanged(file) });
    }
    return null;
  }
}

/** The failure of a set without matching files. */
function noFile(order: SetOrder): Problem {
  const patterns = order.paths.map((path) => `"${path}"`).join(", ");
  const message = `the client has no file that matches ${patterns}`;
  return { code: "file_not_found", message: message.slice(0, MAX_MESSAGE) };
}
