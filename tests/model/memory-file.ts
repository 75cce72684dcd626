import type { FileIdentity } from "../../lib/protocol/identity.ts";
import { md5 } from "../support/scripted-client.ts";

/** An open file: whoever has its name by now, this one stays what it is. */
export class Inode {
  changes = 0;
  /** Its first change: a file that grew and was also changed in front looks as if it only grew. */
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

/** A file at a site, in memory, and everything that it ever was. */
export class MemoryFile {
  /** Null while there is no file of the name. */
  inode: Inode | null = null;
  readonly #versions = new Set<string>();
  #inodes = 0;
  /** How often it changed; each time another byte is put in. */
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
