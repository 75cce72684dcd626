import type { FileIdentity } from "../../lib/protocol/identity.ts";
import { md5 } from "../support/scripted-client.ts";

/** The content of a file, apart from its name. An open file keeps its inode when its name is deleted. */
export class Inode {
  changes = 0;
  /**
   * The kind of the first change: `log` if the file grew, `document` otherwise. A file in the model keeps to
   * one kind, as a client cannot detect an overwrite in a file that also grew.
   */
  kind: "log" | "document" | null = null;

  constructor(
    readonly number: number,
    public bytes: Uint8Array,
  ) {}

  get identity(): FileIdentity {
    const time = String(this.changes);
    const size = this.bytes.length;
    return { size, mtime_ns: time, ctime_ns: time, inode: String(this.number), device: "1" };
  }
}

export const CHANGES = ["grow", "overwrite", "shorten", "replace", "delete"] as const;
export type Change = (typeof CHANGES)[number];

/** A simulated file at a site, with the checksums of all contents that it ever had. */
export class MemoryFile {
  /** The present content; null while the file is deleted. */
  inode: Inode | null = null;
  readonly #versions = new Set<string>();
  #inodes = 0;
  /** Number of changes so far. New bytes are computed from it, so that each content is different. */
  changes = 0;

  constructor(private readonly size: number) {
    this.#replace();
  }

  wasEver(bytes: Uint8Array): boolean {
    return this.#versions.has(md5(bytes));
  }

  change(how: Change): void {
    this.changes++;
    const { inode } = this;
    if (how === "delete") this.inode = null;
    else if (!inode || how === "replace") this.#replace();
    else {
      inode.kind ??= how === "grow" ? "log" : "document";
      if ((inode.kind === "log") !== (how === "grow")) return this.#replace();
      inode.bytes = this.#changed(how, inode.bytes);
      inode.changes++;
      this.#versions.add(md5(inode.bytes));
    }
  }

  #changed(how: "grow" | "overwrite" | "shorten", bytes: Uint8Array): Uint8Array {
    if (how === "shorten") return bytes.slice(0, bytes.length >> 1);
    if (how === "grow") return new Uint8Array([...bytes, this.changes]);
    return bytes.map((byte) => byte ^ this.changes);
  }

  #replace(): void {
    const bytes = Uint8Array.from({ length: this.size }, (_, n) => n * 31 + this.changes);
    this.inode = new Inode(++this.#inodes, bytes);
    this.#versions.add(md5(bytes));
  }
}
