import { systemCode } from "./system-error.ts";

/** How long, in ms, a process that has to end still waits for a slow reader of its output. */
const GRACE_MS = 1000;

/**
 * Output of this process is lost, as the program that reads it (such as `head`) has ended, or a disk is full.
 */
export class OutputLost extends Error {
  override name = "OutputLost";
  /** True if the reader of the pipe has ended, so that nobody would see an error message. */
  readonly readerLeft: boolean;

  constructor(cause: Error) {
    super(`standard output cannot be written: ${cause.message}`, { cause });
    this.readerLeft = systemCode(cause) === "EPIPE";
  }

  /** Exit code for this loss: 1, or 141 if the reader has ended. Shells report 141 for SIGPIPE. */
  get exitCode(): number {
    return this.readerLeft ? 141 : 1;
  }
}

/**
 * Standard output or standard error of this process. A pipe holds 64 KiB. Further output waits in this
 * process until the reader takes it, and is lost if the process ends before {@link Output.drained} resolves.
 */
export class Output {
  /** Called once, when output is lost for the first time. */
  onLost: (lost: OutputLost) => void = () => undefined;
  /** The error by which output was first lost; null if no output is lost. */
  lost: OutputLost | null = null;
  /** The number of writes that have not completed yet. */
  private pendingWrites = 0;
  private allWritten = Promise.withResolvers<void>();

  constructor(private readonly stream: NodeJS.WriteStream) {
    // Errors are handled in the callback of each write. Without this listener, an error would end the
    // process.
    stream.on("error", () => undefined);
  }

  get isTTY(): boolean {
    return this.stream.isTTY === true;
  }

  get columns(): number {
    return this.stream.columns;
  }

  get rows(): number {
    return this.stream.rows;
  }

  /**
   * Writes data, now or as soon as the reader takes more. Data that a full disk refuses is lost, but later
   * writes are still tried. Never throws.
   */
  write(data: string | Uint8Array): void {
    // The reader of the pipe has ended, so no write can succeed any more.
    if (this.lost?.readerLeft) return;
    if (this.pendingWrites++ === 0) this.allWritten = Promise.withResolvers();
    this.stream.write(data, (error) => {
      if (error) this.lose(error);
      if (--this.pendingWrites === 0) this.allWritten.resolve();
    });
  }

  /**
   * Writes data, and waits until the reader has taken it.
   * @param signal when it is aborted, the wait ends after one more second
   * @throws OutputLost if any output is lost
   * @throws the reason of `signal` if it is aborted
   */
  async send(data: string | Uint8Array, signal: AbortSignal): Promise<void> {
    this.write(data);
    await this.drained(signal);
    signal.throwIfAborted();
    if (this.lost) throw this.lost;
  }

  /**
   * Waits until all output is taken by the reader or lost, however long that takes.
   * @param signal when this signal is aborted, the wait ends after one more second
   * @returns true if the reader took everything
   */
  async drained(signal: AbortSignal): Promise<boolean> {
    if (this.pendingWrites > 0) {
      const graceEnded = Promise.withResolvers<void>();
      let timer: Timer | undefined;
      const startGrace = () => void (timer = setTimeout(graceEnded.resolve, GRACE_MS));
      if (signal.aborted) startGrace();
      else signal.addEventListener("abort", startGrace);
      await Promise.race([this.allWritten.promise, graceEnded.promise]);
      signal.removeEventListener("abort", startGrace);
      clearTimeout(timer);
    }
    return this.pendingWrites === 0 && this.lost === null;
  }

  private lose(error: Error): void {
    if (this.lost) return;
    this.lost = new OutputLost(error);
    this.onLost(this.lost);
  }
}

export const stdout = new Output(process.stdout);
export const stderr = new Output(process.stderr);

/**
 * Ends the process after the readers have taken all of its output.
 * @param signal when this signal is aborted, the process ends after one more second at the latest
 */
export async function exit(code: number, signal: AbortSignal): Promise<never> {
  await Promise.all([stdout.drained(signal), stderr.drained(signal)]);
  return process.exit(code);
}
