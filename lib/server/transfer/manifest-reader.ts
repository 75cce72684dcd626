import * as z from "zod";
import { FdsError, type Problem } from "../../protocol/errors.ts";
import { PathPatterns, type PatternWalk } from "../../protocol/patterns.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import { formatSize } from "../../util/sizes.ts";
import type { ListedFile, SetOrder } from "../set.ts";
import { SetNames } from "../storage/set-names.ts";
import { protocolError } from "./incoming-attempt.ts";

/** One line of a manifest, in the format that lib/protocol/README.md describes. */
const Line = z.object({
  path: z.string().min(1).max(4096),
  root: z.int().min(0).max(1000),
  size: z.int().min(0),
  mtime_ns: z.string().regex(/^-?\d{1,19}$/),
  skipped: z
    .enum(["not_settled", "name_unusable", "access_denied", "file_unreadable"] as const)
    .optional(),
});
type Line = z.infer<typeof Line>;

/** The error message for each code with which a file is left out of a set. */
const REASONS: Record<NonNullable<Line["skipped"]>, string> = {
  not_settled: "it was changed too recently",
  name_unusable: "its name cannot be kept",
  access_denied: "the client may not read it",
  file_unreadable: "the client cannot read it",
};

/** Maximum size of a manifest, in bytes. This project's client sends no more. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Maximum length of a manifest line, in characters. The longest path with every character escaped fits. */
const MAX_LINE = 32 * 1024;
/**
 * Number of manifest lines that are parsed at a time. This usually holds the event loop for less than 1 ms.
 */
const BATCH = 32;

/**
 * Maximum length of the path of a published set's file, relative to the downloads folder, in bytes of UTF-8.
 */
const MAX_PATH_BYTES = 900;

/** Parses the manifest of a set as it arrives, and checks that each file was asked for. */
export class ManifestReader {
  readonly #include: PathPatterns;
  readonly #exclude: PathPatterns;
  readonly #names = new SetNames();
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  /** The beginning of a line whose end has not arrived yet; empty if there is none. */
  #rest = "";
  /**
   * The folder of the previous line's file, and how far the patterns match the folder's path. The next line's
   * file is usually in the same folder, so the match is reused.
   */
  #folder: { path: string; include: PatternWalk; exclude: PatternWalk } | undefined;
  #bytesRead = 0;
  #files = 0;
  #bytes = 0;
  #firstProblem: Problem | undefined;

  /** @param folderBytes maximum length of the path of the set's folder, in bytes of UTF-8 */
  constructor(
    private readonly order: SetOrder,
    private readonly folderBytes: number,
  ) {
    this.#include = new PathPatterns(order.paths);
    this.#exclude = new PathPatterns(order.exclude);
  }

  /**
   * The error of the first file that was left out of the set, by the client or because its path would be too
   * long for the server; undefined if there is none. Files that changed too recently do not count.
   */
  get firstProblem(): Problem | undefined {
    return this.#firstProblem;
  }

  /**
   * Parses the next bytes of the manifest.
   * @returns the files whose lines are now complete
   * @throws FdsError `too_many_files`, `set_too_large`, or `protocol_error` for a bad line or a file that was
   *   not asked for
   */
  async read(bytes: Uint8Array): Promise<ListedFile[]> {
    this.#bytesRead += bytes.length;
    if (this.#bytesRead > MAX_BYTES)
      throw protocolError(`a manifest has over ${formatSize(MAX_BYTES)}`);
    const lines = (this.#rest + this.#decode(bytes)).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > MAX_LINE) throw protocolError("a line of a manifest has no end");
    const files: ListedFile[] = [];
    for (let at = 0; at < lines.length; at += BATCH) {
      const batch = lines.slice(at, at + BATCH);
      files.push(...(await eventLoopBudget.run(() => batch.map((line) => this.#fileOf(line)))));
    }
    return files;
  }

  /**
   * Checks that the manifest is complete.
   * @throws FdsError `protocol_error` if the last line is incomplete
   */
  end(): void {
    if (this.#rest + this.#decode() !== "")
      throw protocolError("the last line of a manifest is not complete");
  }

  /**
   * Decodes the next bytes of a manifest.
   * @param bytes the next bytes; undefined: the manifest is complete
   * @throws FdsError `protocol_error` for bytes that are not UTF-8
   */
  #decode(bytes?: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw new FdsError("protocol_error", "a manifest is no UTF-8", { cause });
    }
  }

  #fileOf(line: string): ListedFile {
    const { path, root, size, mtime_ns, skipped } = parse(line);
    this.#check(path, skipped !== undefined);
    const index = this.#files++;
    if (this.#files > this.order.maxFiles) {
      throw new FdsError("too_many_files", `the patterns name over ${this.order.maxFiles} files`);
    }
    const file = { index, path, root, size, mtimeNs: mtime_ns };
    if (skipped) return { ...file, place: null, error: this.#skip(skipped) };
    const place = this.#names.add(path);
    if (place === null) throw protocolError(`a manifest has ${JSON.stringify(path)} twice`);
    if (this.folderBytes + Buffer.byteLength(place) > MAX_PATH_BYTES) {
      return { ...file, place: null, error: this.#skip("name_unusable") };
    }
    this.#count(size);
    return { ...file, place, error: null };
  }

  #skip(code: keyof typeof REASONS): Problem {
    const error = { code, message: REASONS[code] };
    if (code !== "not_settled") this.#firstProblem ??= error;
    return error;
  }

  #count(size: number): void {
    const { maxBytes } = this.order;
    this.#bytes += size;
    if (maxBytes !== null && this.#bytes > maxBytes) {
      throw new FdsError("set_too_large", `the files have more than ${formatSize(maxBytes)}`);
    }
    if (!Number.isSafeInteger(this.#bytes)) {
      throw new FdsError("set_too_large", "the files have more bytes than can be counted");
    }
  }

  /**
   * Checks that a path is valid and that the patterns ask for it.
   * @param isSkipped true: the client left this file out. Its path may then also be that of an unreadable
   *   folder, or look like another path because its name is not UTF-8
   * @throws FdsError `protocol_error`
   */
  #check(path: string, isSkipped: boolean): void {
    const names = path.split("/");
    const isPath = names.every((name) => name !== "" && name !== "." && name !== "..");
    if (!isPath || path.includes("\0"))
      throw protocolError(`a manifest has ${JSON.stringify(path)}`);
    const name = names.pop() ?? "";
    const { include, exclude } = this.#folderOf(names);
    const walk = include.step(name);
    const isNamed = isSkipped ? walk.mayMatchInside : walk.matched;
    // The server cannot check absolute patterns, because only the client knows where its roots are.
    const isAsked = this.#include.hasAbsolute || isNamed;
    if (!isAsked || exclude.step(name).matched) {
      throw protocolError(`a manifest has ${JSON.stringify(path)}, which was not asked for`);
    }
  }

  #folderOf(names: string[]) {
    const path = names.join("/");
    if (this.#folder?.path !== path) {
      const walkInto = (patterns: PathPatterns) =>
        names.reduce((at, name) => at.step(name), patterns.startIn([]));
      this.#folder = { path, include: walkInto(this.#include), exclude: walkInto(this.#exclude) };
    }
    return this.#folder;
  }
}

function parse(line: string): Line {
  try {
    return Line.parse(JSON.parse(line));
  } catch (cause) {
    throw new FdsError("protocol_error", "a line of a manifest cannot be read", { cause });
  }
}
