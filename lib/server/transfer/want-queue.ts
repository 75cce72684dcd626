import { MAX_MESSAGE_BYTES, MAX_WANTED, type WantedFile } from "../../protocol/messages.ts";
import type { SetFile, SetRows, WantedSetFile } from "../set.ts";
import { protocolError } from "./incoming-attempt.ts";

/** Number of rows that are read at a time. */
const PAGE = 1_000;
/** Number of rows that are read first. It is small, so that the client begins while more rows are read. */
const FIRST_PAGE = 50;
/**
 * Maximum size of the files' descriptions in one message, in bytes. It leaves room for the message's other
 * fields.
 */
const MAX_BYTES = MAX_MESSAGE_BYTES - 1024;
/** How many times a file is requested again if it changed while it was read or did not match its checksum. */
const MAX_REPEATS = 2;

export interface WantQueueOptions {
  downloadId: string;
  rows: Pick<SetRows, "list">;
  /** Returns the request for a file. */
  describe: (file: WantedSetFile) => WantedFile | Promise<WantedFile>;
  /** Sends the client a request for files. */
  ask: (files: WantedFile[]) => void;
}

/**
 * Decides which files of a set are requested next: first pending files, in the manifest's order, then files
 * that have to be sent again. Files are requested ahead of time, so that the client never has to wait.
 */
export class WantQueue {
  /** Requested files, in the order of the requests. The first ones are already answered, see `#answered`. */
  readonly #requested: WantedSetFile[] = [];
  /** Number of files at the beginning of `#requested` that the client has already answered. */
  #answered = 0;
  #readUpTo = -1;
  #isAllRead = false;
  readonly #toRepeat: WantedSetFile[] = [];
  readonly #repeats = new Map<number, number>();
  #filling: Promise<void> | undefined;

  constructor(private readonly options: WantQueueOptions) {}

  /** Whether the client still has to answer some request for a file. */
  get isAnswerDue(): boolean {
    return this.#answered < this.#requested.length;
  }

  /** The file that the client's next answer must be about; undefined if no answer is expected. */
  get next(): WantedSetFile | undefined {
    return this.#requested[this.#answered];
  }

  /** Whether all files of the set were requested, and the client has answered all requests. */
  get isDone(): boolean {
    return this.#isAllRead && !this.isAnswerDue && this.#toRepeat.length === 0;
  }

  /**
   * Called when the client answers a request for a file. Checks that this answer is the next one expected,
   * and returns the file.
   * @param index index of the file in the manifest
   * @throws FdsError `protocol_error` if another answer, or none, is expected
   */
  expect(index: number): WantedSetFile {
    const file = this.next;
    if (file?.index !== index)
      throw protocolError(`file ${index} of a set came, ${file?.index ?? "none"} is owed`);
    return file;
  }

  /** Records that the client has answered the oldest open request. */
  answered(): void {
    this.#answered++;
    if (this.#answered < PAGE) return;
    this.#requested.splice(0, this.#answered);
    this.#answered = 0;
  }

  /**
   * Requests a file again, after all other files.
   * @returns false if the file was already requested too often
   */
  repeat(file: WantedSetFile): boolean {
    const repeats = this.#repeats.get(file.index) ?? 0;
    if (repeats >= MAX_REPEATS) return false;
    this.#repeats.set(file.index, repeats + 1);
    this.#toRepeat.push({ ...file, durableOffset: 0 });
    return true;
  }

  /** Requests more files. At most {@link MAX_WANTED} requests are unanswered at a time. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => (this.#filling = undefined));
    return this.#filling;
  }

  async #fill(): Promise<void> {
    while (this.#requested.length - this.#answered <= MAX_WANTED - PAGE) {
      const files = await this.#nextFiles();
      if (files.length === 0) return;
      await this.#ask(files);
    }
  }

  async #nextFiles(): Promise<WantedSetFile[]> {
    if (this.#isAllRead) return this.isAnswerDue ? [] : this.#toRepeat.splice(0, PAGE);
    const { downloadId, rows } = this.options;
    const limit = this.#readUpTo < 0 ? FIRST_PAGE : PAGE;
    const filter = { status: "pending", after: this.#readUpTo, limit } as const;
    const files = await rows.list(downloadId, filter);
    this.#readUpTo = files.at(-1)?.index ?? this.#readUpTo;
    this.#isAllRead = files.length < limit;
    return files.length > 0 ? files.map(wantedOf) : this.#nextFiles();
  }

  async #ask(files: WantedSetFile[]): Promise<void> {
    let batch: WantedFile[] = [];
    let bytes = 0;
    for (const file of files) {
      const described = this.options.describe(file);
      // Most files are new. Their requests are made without a promise, as nothing has to be read for them.
      const wanted = described instanceof Promise ? await described : described;
      const length = Buffer.byteLength(JSON.stringify(wanted)) + 1;
      if (bytes + length > MAX_BYTES) {
        this.options.ask(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(wanted);
      bytes += length;
      this.#requested.push(file);
    }
    this.options.ask(batch);
  }
}

function wantedOf({ index, path, root, size, place, durableOffset }: SetFile): WantedSetFile {
  return { index, path, root, size, place, durableOffset };
}
