import * as z from "zod";
import { DOWNLOAD_ERROR_CODES, FdsError, type Problem } from "../../protocol/errors.ts";
import { PathPatterns } from "../../protocol/patterns.ts";
import { formatSize } from "../../util/sizes.ts";
import type { ListedFile, SetOrder } from "../set.ts";
import { SetNames } from "../storage/set-names.ts";
import { broken } from "./incoming-attempt.ts";

/** A line of a manifest, see lib/protocol/README.md. */
const Line = z.object({
  path: z.string().min(1).max(4096),
  root: z.int().min(0).max(1000),
  size: z.int().min(0),
  mtime_ns: z.string().regex(/^-?\d{1,19}$/),
  skipped: z.enum(DOWNLOAD_ERROR_CODES).optional(),
});

/** What stands beside the code of a file that the client left out. */
const REASONS: Partial<Record<Problem["code"], string>> = {
  not_settled: "it was changed too recently",
  name_unusable: "its name cannot be kept",
  access_denied: "the client may not read it",
  file_unreadable: "the client cannot read it",
};

/** A path on the server's disk has at most so many bytes, with the folders of client and set. */
const MAX_PATH_BYTES = 900;

/** Reads the manifest of a set as it comes, and holds the client to what was asked for. */
export class ManifestReader {
  readonly #include: PathPatterns;
  readonly #exclude: PathPatterns;
  readonly #names = new SetNames();
  readonly #paths = new Set<string>();
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  /** The start of a line whose end has not come. */
  #rest = "";
  #files = 0;
  #bytes = 0;

  /** @param folderBytes how long the path of the set's folder can be, in bytes of UTF-8 */
  constructor(
    private readonly order: SetOrder,
    private readonly folderBytes: number,
  ) {
    this.#include = new PathPatterns(order.paths);
    this.#exclude = new PathPatterns(order.exclude);
  }

  /** Bytes of the files that will come. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Reads the next bytes.
   * @returns the files whose lines are complete
   * @throws FdsError `too_many_files`, `set_too_large`, or `protocol_error` for what was not asked for
   */
  read(bytes: Uint8Array): ListedFile[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.map((line) => this.#fileOf(line));
  }

  /** @throws FdsError `protocol_error` when the last line is not complete */
  end(): void {
    if (this.#rest !== "") throw broken("the last line of a manifest is not complete");
  }

  #fileOf(line: string): ListedFile {
    const { path, root, size, mtime_ns, skipped } = parse(line);
    this.#check(path, skipped !== undefined);
    const index = this.#files++;
    if (this.#files > this.order.maxFiles) {
      throw new FdsError("too_many_files", `the patterns name over ${this.order.maxFiles} files`);
    }
    const file = { index, path, root, size, mtimeNs: mtime_ns };
    if (skipped) return { ...file, place: null, error: errorOf(skipped) };
    const place = this.#names.add(path);
    if (this.folderBytes + Buffer.byteLength(place) > MAX_PATH_BYTES) {
      return { ...file, place: null, error: errorOf("name_unusable") };
    }
    this.#count(size);
    return { ...file, place, error: null };
  }

  #count(size: number): void {
    const { maxBytes } = this.order;
    this.#bytes += size;
    if (maxBytes !== null && this.#bytes > maxBytes) {
      throw new FdsError("set_too_large", `the files have more than ${formatSize(maxBytes)}`);
    }
    if (!Number.isSafeInteger(this.#bytes))
      throw broken("the files have more bytes than there are");
  }

  /**
   * @param isSkipped also a folder that could not be read is told as skipped
   * @throws FdsError `protocol_error`
   */
  #check(path: string, isSkipped: boolean): void {
    const names = path.split("/");
    const isPath = names.every((name) => name !== "" && name !== "." && name !== "..");
    if (!isPath || path.includes("\0")) throw broken(`a manifest has ${JSON.stringify(path)}`);
    if (this.#paths.has(path)) throw broken(`a manifest has ${JSON.stringify(path)} twice`);
    this.#paths.add(path);
    // Where absolute patterns lead, the client alone knows.
    const walk = names.reduce((at, name) => at.step(name), this.#include.startIn([]));
    const isNamed = isSkipped ? walk.mayMatchInside : walk.matched;
    const isAsked = this.#include.hasAbsolute || isNamed;
    if (!isAsked || this.#exclude.match(names)) {
      throw broken(`a manifest has ${JSON.stringify(path)}, which was not asked for`);
    }
  }
}

function parse(line: string): z.infer<typeof Line> {
  try {
    return Line.parse(JSON.parse(line));
  } catch (cause) {
    throw new FdsError("protocol_error", "a line of a manifest cannot be read", { cause });
  }
}

function errorOf(code: Problem["code"]): Problem {
  return { code, message: REASONS[code] ?? "the client left it out" };
}
