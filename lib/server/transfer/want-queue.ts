import { MAX_MESSAGE_BYTES, MAX_WANTED, type WantedFile } from "../../protocol/messages.ts";
import type { SetFile, SetRows, WantedSetFile } from "../set.ts";
import { broken } from "./incoming-attempt.ts";

/** Rows that are read at a time. */
const PAGE = 1_000;
/** Bytes of files in one message, which leaves room for its other fields. */
const MOST_BYTES = MAX_MESSAGE_BYTES - 1024;
/** How many times a file is requested again when it changed while it was read, or arrived wrong. */
const MAX_REPEATS = 2;

export interface WantQueueOptions {
  downloadId: string;
  rows: Pick<SetRows, "list">;
  /** Makes the request for a file. */
  describe: (file: WantedSetFile) => WantedFile | Promise<WantedFile>;
  /** Asks the client for files. */
  ask: (files: WantedFile[]) => void;
}

/**
 * Decides which files of a set are requested next: those of the manifest that are not here yet, in its
 * order, and at the end once more those that changed while they were read. Files are requested ahead of
 * time, so that the client never has to wait.
 */
export class WantQueue {
  /** Requested files without an answer, in the order of the requests. */
  readonly #owed: WantedSetFile[] = [];
  /** Index of the first owed file in {@link WantQueue.#owed}. */
  #answered = 0;
  #readUpTo = -1;
  #isRead = false;
  readonly #again: WantedSetFile[] = [];
  readonly #repeats = new Map<number, number>();
  #filling: Promise<void> | undefined;

  constructor(private readonly options: WantQueueOptions) {}

  /** Whether the client owes an answer. */
  get isOwed(): boolean {
    return this.#answered < this.#owed.length;
  }

  /** The next owed file, if there is one. */
  get next(): WantedSetFile | undefined {
    return this.#owed[this.#answered];
  }

  /** Whether everything was requested and answered. */
  get isDone(): boolean {
    return this.#isRead && !this.isOwed && this.#again.length === 0;
  }

  /** The next owed file. @throws FdsError `protocol_error` when it is another one, or none is owed */
  expect(index: number): WantedSetFile {
    const file = this.next;
    if (file?.index !== index)
      throw broken(`file ${index} of a set came, ${file?.index ?? "none"} is owed`);
    return file;
  }

  /** The owed file was answered. */
  answered(): void {
    this.#answered++;
    if (this.#answered < PAGE) return;
    this.#owed.splice(0, this.#answered);
    this.#answered = 0;
  }

  /** Requests a file again, at the end. @returns false if that was done too often */
  repeat(file: WantedSetFile): boolean {
    const repeats = this.#repeats.get(file.index) ?? 0;
    if (repeats >= MAX_REPEATS) return false;
    this.#repeats.set(file.index, repeats + 1);
    this.#again.push({ ...file, durableOffset: 0 });
    return true;
  }

  /** Requests more files, as long as few are owed. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => (this.#filling = undefined));
    return this.#filling;
  }

  async #fill(): Promise<void> {
    while (this.#owed.length - this.#answered <= MAX_WANTED - PAGE) {
      const files = await this.#next();
      if (files.length === 0) return;
      await this.#ask(files);
    }
  }

  async #next(): Promise<WantedSetFile[]> {
    if (this.#isRead) return this.isOwed ? [] : this.#again.splice(0, PAGE);
    const { downloadId, rows } = this.options;
    const filter = { status: "pending", after: this.#readUpTo, limit: PAGE } as const;
    const files = await rows.list(downloadId, filter);
    this.#readUpTo = files.at(-1)?.index ?? this.#readUpTo;
    this.#isRead = files.length < PAGE;
    return files.length > 0 ? files.map(wantedOf) : this.#next();
  }

  async #ask(files: WantedSetFile[]): Promise<void> {
    let batch: WantedFile[] = [];
    let bytes = 0;
    for (const file of files) {
      const described = this.options.describe(file);
      // Most files are new, and nothing has to wait for them.
      const wanted = described instanceof Promise ? await described : described;
      const length = Buffer.byteLength(JSON.stringify(wanted)) + 1;
      if (bytes + length > MOST_BYTES) {
        this.options.ask(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(wanted);
      bytes += length;
      this.#owed.push(file);
    }
    this.options.ask(batch);
  }
}

function wantedOf({ index, path, root, size, place, durableOffset }: SetFile): WantedSetFile {
  return { index, path, root, size, place, durableOffset };
}
