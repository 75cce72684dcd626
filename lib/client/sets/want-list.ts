import { FdsError } from "../../protocol/errors.ts";
import { MAX_WANTED, type WantedFile } from "../../protocol/messages.ts";
import type { SetPosition } from "./frame-builder.ts";

/**
 * The least number of sent files that are remembered, because a damaged frame may require sending them again.
 */
const MIN_REMEMBERED = 16 * 1024;

/** The files that the server asked for, in the order in which it asked. */
export class WantList {
  #wants: WantedFile[] = [];
  /** Number of the first file in `#wants`; files before it are forgotten. */
  #first = 0;
  #position = 0;
  #resumeAt: number | undefined;

  /** Number of the next file among all files that the server asked for in this attempt, from 0. */
  get position(): number {
    return this.#position;
  }

  get next(): WantedFile | undefined {
    return this.#wants[this.#position - this.#first];
  }

  /** The file after the next one, if the server has already asked for it. */
  get afterNext(): WantedFile | undefined {
    return this.#wants[this.#position - this.#first + 1];
  }

  /**
   * Offset at which to begin sending the next file again, if a frame that began there arrived damaged;
   * undefined to begin where the server asked.
   */
  get resumeAt(): number | undefined {
    return this.#resumeAt;
  }

  /** Adds wanted files. @throws FdsError `protocol_error` when more than MAX_WANTED are pending */
  add(files: WantedFile[]): void {
    this.#wants.push(...files);
    if (this.#wants.length - (this.#position - this.#first) > MAX_WANTED) {
      throw new FdsError("protocol_error", `over ${MAX_WANTED} files of a set are wanted at once`);
    }
  }

  /** Marks the next file as sent or skipped, and proceeds to the file after it. */
  advance(): void {
    this.#position++;
    this.#resumeAt = undefined;
    const surplus = this.#position - this.#first - 2 * MIN_REMEMBERED;
    if (surplus < 0) return;
    this.#wants = this.#wants.slice(MIN_REMEMBERED);
    this.#first += MIN_REMEMBERED;
  }

  /**
   * Goes back to an earlier position, to send from there again.
   * @returns false if the position is no longer remembered
   */
  rewind({ fileNumber, offset }: SetPosition): boolean {
    if (fileNumber < this.#first || fileNumber > this.#position) return false;
    this.#position = fileNumber;
    this.#resumeAt = offset === 0 ? undefined : offset;
    return true;
  }
}
