import { createInterface } from "node:readline/promises";
import { plainLines, plainText } from "../../util/plain-text.ts";
import { type Terminal } from "./terminal.ts";

/**
 * Asks a person, or reads a pipe, line by line. The terminal's mode is not changed: it edits lines itself,
 * and Ctrl-C stays a signal.
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
   * @returns the trimmed answer; null at the end of the input
   * @throws the reason of `signal` when it is aborted
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
      // A person's typing is on the screen already.
      if (!this.stream.isTTY) this.terminal.write(`${plainText(value ?? "")}\n`);
      else if (done) this.terminal.write("\n");
      return done ? null : value.trim();
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** @returns false for anything but a yes */
  async confirm(question: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.ask(`${question} [y/N] `, signal);
    return /^y(?:es)?$/i.test(answer ?? "");
  }

  [Symbol.dispose](): void {
    this.reader.close();
  }
}
