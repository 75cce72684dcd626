import { createInterface } from "node:readline/promises";
import { plainLines, plainText } from "../../util/plain-text.ts";
import { type Terminal } from "./terminal.ts";

/**
 * Reads answers line by line, from a user at a terminal or from a pipe. The terminal's mode is not changed,
 * so the terminal edits lines itself, and Ctrl-C stays a signal.
 */
export class Input implements Disposable {
  private readonly reader;
  private readonly lines;

  constructor(
    private readonly stream: NodeJS.ReadStream,
    private readonly terminal: Terminal,
  ) {
    this.reader = createInterface({ input: stream, terminal: false });
    this.lines = this.reader[Symbol.asyncIterator]();
  }

  /**
   * Prints a question, and reads a line as the answer.
   * @returns the trimmed answer; null at the end of the input
   * @throws the reason of `signal` when `signal` is aborted
   */
  async ask(question: string, signal: AbortSignal): Promise<string | null> {
    this.terminal.write(plainLines(question));
    const aborted = Promise.withResolvers<never>();
    const abort = () => {
      this.terminal.write("\n");
      aborted.reject(signal.reason);
    };
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    try {
      const { done, value } = await Promise.race([this.lines.next(), aborted.promise]);
      // An answer from a pipe is printed. A terminal has already shown what the user typed.
      if (!this.stream.isTTY) this.terminal.write(`${plainText(value ?? "")}\n`);
      else if (done) this.terminal.write("\n");
      return done ? null : value.trim();
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Asks a question to be answered by yes or no. @returns true for "y" or "yes", otherwise false */
  async confirm(question: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.ask(`${question} [y/N] `, signal);
    return /^y(?:es)?$/i.test(answer ?? "");
  }

  [Symbol.dispose](): void {
    this.reader.close();
  }
}
