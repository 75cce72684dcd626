import { randomBytes } from "node:crypto";
import { appendFile, open, readFile, rename, truncate, unlink, writeFile } from "node:fs/promises";
import type { Random } from "../support/random.ts";
import { writeRandom } from "../support/sources.ts";

/** Number of bytes that one write changes atomically for a process that reads at the same time. */
const PAGE = 4096;

/** A change of a source file, or a time in which the file was missing. Times are in ms since 1970. */
interface Upset {
  kind: "changed" | "missing";
  from: number;
  to: number;
}

/** A file at a site that is changed now and then. Records all versions that the file ever had. */
export class ChangingSource {
  readonly #versions = new Set<string>();
  readonly #upsets: Upset[] = [];
  /**
   * How the file changes until it is replaced: a log only grows, a document changes in place; null: not
   * changed yet. A file with both changes would look to the client as if it had only grown.
   */
  #kind: "log" | "document" | null = null;

  private constructor(
    readonly path: string,
    /** Path with which an operator requests the file. */
    readonly filePath: string,
    /** Size of the file when it was created, in bytes. */
    readonly size: number,
  ) {}

  static async create(path: string, filePath: string, size: number): Promise<ChangingSource> {
    const source = new ChangingSource(path, filePath, size);
    source.#versions.add(versionKey(await writeRandom(path, size)));
    return source;
  }

  /** Whether the whole file ever had this size and MD5. */
  wasEver(version: { size: number; md5: string }): boolean {
    return this.#versions.has(versionKey(version));
  }

  /** Returns how often the file was changed or missing between two times, in ms since 1970. */
  upsets(kind: Upset["kind"], from: number, to: number): number {
    return this.#upsets.filter((upset) => {
      return upset.kind === kind && upset.from <= to && upset.to >= from;
    }).length;
  }

  /**
   * Changes the file in a random way: longer, other bytes, shorter, replaced or deleted.
   * @param away waits while a deleted file is missing
   */
  async change(random: Random, away: () => Promise<unknown>): Promise<void> {
    const ways = [
      () => this.#grow(),
      () => this.#overwrite(random),
      () => this.#shorten(random),
      () => this.#replace(),
      () => this.#delete(away),
    ];
    await random.pick(ways)();
  }

  async #grow(): Promise<void> {
    this.#kind ??= "log";
    if (this.#kind !== "log") return this.#replace();
    const bytes = await readFile(this.path);
    const more = randomBytes(Math.min(100, PAGE - (bytes.length % PAGE)));
    await this.#become(Buffer.concat([bytes, more]), () => appendFile(this.path, more));
  }

  async #overwrite(random: Random): Promise<void> {
    this.#kind ??= "document";
    const bytes = await readFile(this.path);
    if (this.#kind !== "document" || bytes.length === 0) return this.#replace();
    const at = random.int(0, bytes.length - 1);
    bytes[at]! ^= 0xff;
    await this.#become(bytes, async () => {
      const file = await open(this.path, "r+");
      await file.write(bytes, at, 1, at);
      await file.close();
    });
  }

  async #shorten(random: Random): Promise<void> {
    this.#kind ??= "document";
    if (this.#kind !== "document") return this.#replace();
    const bytes = await readFile(this.path);
    const size = random.int(0, bytes.length);
    await this.#become(bytes.subarray(0, size), () => truncate(this.path, size));
  }

  async #replace(): Promise<void> {
    this.#kind = null;
    const bytes = randomBytes(this.size);
    await writeFile(`${this.path}.new`, bytes);
    await this.#become(bytes, () => rename(`${this.path}.new`, this.path));
  }

  async #delete(away: () => Promise<unknown>): Promise<void> {
    const upset: Upset = { kind: "missing", from: Date.now(), to: Infinity };
    this.#upsets.push(upset);
    await unlink(this.path);
    await away();
    await this.#replace();
    upset.to = Date.now();
  }

  /**
   * Changes the file. Its new version is recorded first, so that it is known before anybody can read the
   * file.
   */
  async #become(bytes: Uint8Array, act: () => Promise<void>): Promise<void> {
    const md5 = new Bun.CryptoHasher("md5").update(bytes).digest("hex");
    this.#versions.add(versionKey({ size: bytes.length, md5 }));
    const upset: Upset = { kind: "changed", from: Date.now(), to: Infinity };
    this.#upsets.push(upset);
    await act();
    upset.to = Date.now();
  }
}

function versionKey({ size, md5 }: { size: number; md5: string }): string {
  return `${md5} ${size}`;
}
