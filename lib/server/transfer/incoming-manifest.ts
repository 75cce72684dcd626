import type { Problem } from "../../protocol/errors.ts";
import { release } from "../../util/release.ts";
import { nameOfSet, type SetOrder } from "../set.ts";
import { longestSetPath } from "../storage/names.ts";
import { protocolError } from "./incoming-attempt.ts";
import type { Outcome } from "./incoming-stream.ts";
import { linkUnchanged } from "./link-unchanged.ts";
import { ManifestReader } from "./manifest-reader.ts";
import type { OpenSet } from "./open-set.ts";
import { selections } from "./set-request.ts";

/**
 * Time limit for a client's walk through its folders without finding a file, in ms. This project's client
 * walks for at most 10 minutes, and may start a little after the request.
 */
const SILENT_WALK_MS = 15 * 60_000;
/** Maximum length of the error message for a set without matching files, in characters. */
const MAX_MESSAGE = 1_000;

/**
 * Receives the manifest of a set. The client walks through its folders, and each line of the manifest becomes
 * the row of a file.
 */
export class IncomingManifest {
  readonly #reader: ManifestReader;
  /** Number of files and folders that the client has looked at during its walk, as last reported. */
  #namesSeen = 0;
  // Time at which bytes of the manifest last arrived, in ms of the monotonic clock. Until the first ones
  // arrive, it is the time of the request.
  #lastBytesAt = performance.now();
  #unmatched: number[] | null = null;

  constructor(readonly set: OpenSet) {
    const { order, download } = set;
    const folderBytes = longestSetPath(download.clientId, nameOfSet(order)) + "/".length;
    this.#reader = new ManifestReader(order, folderBytes);
  }

  /** Asks the client for the manifest. */
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

  /** Indices of the patterns that no file matches; null: the client did not report them. */
  get unmatched(): number[] | null {
    return this.#unmatched;
  }

  /**
   * Stores the indices of the patterns that, as the client reports, no file matches.
   * @throws FdsError `protocol_error` for a pattern that does not exist
   */
  takeUnmatched(unmatched: number[]): void {
    const { paths } = this.set.order;
    if (unmatched.some((index) => index >= paths.length))
      throw protocolError("a set has no such pattern");
    this.#unmatched = unmatched;
  }

  /**
   * Inserts a row for each file whose manifest line is complete.
   * @throws FdsError see {@link ManifestReader.read}
   */
  async take(bytes: Uint8Array): Promise<void> {
    const { rows, download, stallWatch } = this.set;
    this.#lastBytesAt = performance.now();
    stallWatch.addProgress(bytes.length);
    const files = await this.#reader.read(bytes);
    release(bytes);
    await rows.insert(download, download.clientId, files);
  }

  /**
   * Handles a report of how many files and folders the client has looked at during its walk. A number that
   * has grown restarts the timeout, until {@link SILENT_WALK_MS} after the last bytes of the manifest.
   */
  onWalkProgress(namesSeen: number): void {
    if (namesSeen <= this.#namesSeen || performance.now() - this.#lastBytesAt > SILENT_WALK_MS)
      return;
    this.#namesSeen = namesSeen;
    this.set.stallWatch.restart();
  }

  /**
   * Handles the complete manifest: checks its contents, and links files that are already stored.
   * @param chunkSize maximum number of bytes in a frame, as agreed with the client
   * @returns the outcome if the set ends here, without transfer; null: files are to be received
   * @throws FdsError `protocol_error` if the last line is incomplete
   */
  async finish(chunkSize: number): Promise<Outcome | null> {
    const { order, rows, download, tally } = this.set;
    this.#reader.end();
    await tally.read(rows, download.downloadId);
    if (tally.counts.total === 0) {
      if (order.ifNone === "complete") return { type: "nothing", chunkSize };
      return { type: "failed", problem: noFile(order), final: true };
    }
    const { firstProblem } = this.#reader;
    // `firstProblem` is never the error of a file that changed too recently. So such files, unlike others
    // that cannot be sent, do not fail a strict set.
    if (order.strict && firstProblem) return { type: "failed", problem: firstProblem, final: true };
    if (order.unchanged !== "send") {
      await linkUnchanged({ ...this.set, onLinked: (file) => tally.unchanged(file) });
    }
    return null;
  }
}

/** Returns the error for a set whose patterns match no file. */
function noFile(order: SetOrder): Problem {
  const patterns = order.paths.map((path) => `"${path}"`).join(", ");
  const message = `the client has no file that matches ${patterns}`;
  return { code: "file_not_found", message: message.slice(0, MAX_MESSAGE) };
}
