import { MAX_MESSAGE_BYTES, MAX_WANTED, type WantedFile } from "../../protocol/messages.ts";
import type { SetFile, SetRows } from "../set.ts";
import { broken } from "./incoming-attempt.ts";

/** Rows that are read at a time. */
const PAGE = 1_000;
/** Bytes of the files of one message: it also has other fields. */
const MOST_BYTES = MAX_MESSAGE_BYTES - 1024;
/** How often a file is asked for again that changed while it was read, or came wrong. */
const MAX_REPEATS = 2;

export interface WantQueueOptions {
  downloadId: string;
  rows: Pick<SetRows, "list">;
  /** Makes what the client is told of a file. */
  describe: (file: SetFile) => Promise<WantedFile>;
  /** Asks the client for files. */
  ask: (files: WantedFile[]) => void;
}

/**
 * Which files of a set are wanted next: those of the manifest that are not here yet, in its order, and
 * at the end once more those that changed while they were read. The client is asked ahead of time, so
 * that it never waits for the next question.
 */
export class WantQueue {
  /** Files that were asked for and not answered, in the order of the asking. */
  readonly #owed: SetFile[] = [];
  /** Where the owed files begin in {@link WantQueue.#owed}. */
  #answered = 0;
  #readUpTo = -1;
  #isRead = false;
  readonly #again: SetFile[] = [];
  readonly #repeats = new Map<number, number>();
  #filling: Promise<void> | undefined;

  constructor(private readonly options: WantQueueOptions) {}

  /** Whether the client owes an answer. */
  get isOwed(): boolean {
    return this.#answered < this.#owed.length;
  }

  /** The file that is owed next, if one is. */
  get next(): SetFile | undefined {
    return this.#owed[this.#answered];
  }

  /** Whether everything was asked for and answered. */
  get isDone(): boolean {
    return this.#isRead && !this.isOwed && this.#again.length === 0;
  }

  /**
   * The file that is owed next.
   * @throws FdsError `protocol_error` when it is another one, or none is owed
   */
  expect(index: number): SetFile {
    const file = this.next;
    if (file?.index !== index)
      throw broken(`file ${index} of a set came, ${file?.index ?? "none"} is owed`);
    return file;
  }

  /** The owed file was answered. */
  answered(): void {
    this.#answered++;
    if (this.#answered < MAX_WANTED) return;
    this.#owed.splice(0, this.#answered);
    this.#answered = 0;
  }

  /** Wants a file again, at the end. @returns false if it was wanted too often */
  repeat(file: SetFile): boolean {
    const repeats = this.#repeats.get(file.index) ?? 0;
    if (repeats >= MAX_REPEATS) return false;
    this.#repeats.set(file.index, repeats + 1);
    this.#again.push({ ...file, durableOffset: 0 });
    return true;
  }

  /** Asks for more, as long as little is owed. */
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

  async #next(): Promise<SetFile[]> {
    if (this.#isRead) return this.isOwed ? [] : this.#again.splice(0, PAGE);
    const { downloadId, rows } = this.options;
    const filter = { status: "pending", after: this.#readUpTo, limit: PAGE } as const;
    const files = await rows.list(downloadId, filter);
    this.#readUpTo = files.at(-1)?.index ?? this.#readUpTo;
    this.#isRead = files.length < PAGE;
    return files.length > 0 ? files : this.#next();
  }

  async #ask(files: SetFile[]): Promise<void> {
    let batch: WantedFile[] = [];
    let bytes = 0;
    for (const file of files) {
      const wanted = await this.options.describe(file);
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
