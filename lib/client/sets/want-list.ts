import { FdsError } from "../../protocol/errors.ts";
import { MAX_WANTED, type WantedFile } from "../../protocol/messages.ts";
import type { Place } from "./frame-builder.ts";

/** Answered files that are remembered, as a damaged frame may be about them. */
const MAX_ANSWERED = 16 * 1024;

/** The files that the server wants, in its order. */
export class WantList {
  #wants: WantedFile[] = [];
  /** Number of the first file that is remembered. */
  #first = 0;
  #position = 0;
  #resumeAt: number | undefined;

  /** Number of the next file among all that were ever wanted, from 0. */
  get position(): number {
    return this.#position;
  }

  get next(): WantedFile | undefined {
    return this.#wants[this.#position - this.#first];
  }

  /** The file after the next one, if it is known already. */
  get afterNext(): WantedFile | undefined {
    return this.#wants[this.#position - this.#first + 1];
  }

  /** Offset at which the next file goes on after a damaged frame. */
  get resumeAt(): number | undefined {
    return this.#resumeAt;
  }

  /** @throws FdsError `protocol_error` when more is wanted than was agreed */
  add(files: WantedFile[]): void {
    this.#wants.push(...files);
    if (this.#wants.length - (this.#position - this.#first) > MAX_WANTED) {
      throw new FdsError("protocol_error", `over ${MAX_WANTED} files of a set are wanted at once`);
    }
  }

  /** The next file was answered. */
  done(): void {
    this.#position++;
    this.#resumeAt = undefined;
    const surplus = this.#position - this.#first - 2 * MAX_ANSWERED;
    if (surplus < 0) return;
    this.#wants = this.#wants.slice(MAX_ANSWERED);
    this.#first += MAX_ANSWERED;
  }

  /** Goes back to a place. @returns false if it is no longer remembered */
  rewind({ want, offset }: Place): boolean {
    if (want < this.#first || want > this.#position) return false;
    this.#position = want;
    this.#resumeAt = offset === 0 ? undefined : offset;
    return true;
  }
}
