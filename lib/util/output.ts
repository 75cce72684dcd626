import { systemCode } from "./system-error.ts";

/** How long a slow reader has after the process was told to end, in ms. */
const GRACE_MS = 1000;

/** Something that was written is lost: the reader left, as `head` does, or a disk is full. */
export class OutputLost extends Error {
  override name = "OutputLost";
  /** The reader left, so there is nobody to tell. */
  readonly readerLeft: boolean;

  constructor(cause: Error) {
    super(`standard output cannot be written: ${cause.message}`, { cause });
    this.readerLeft = systemCode(cause) === "EPIPE";
  }

  /** The exit code that a shell reports for SIGPIPE: the reader left. */
  get exitCode(): number {
    return this.readerLeft ? 141 : 1;
  }
}

/**
 * A standard stream of this process. A pipe takes 64 KiB; what is beyond that waits in this process
 * for its reader, and is gone if the process ends before {@link Output.drained}.
 */
export class Output {
  /** Called once, at the first loss. */
  onLost: (lost: OutputLost) => void = () => undefined;
  /** The first loss; null while nothing is lost. */
  lost: OutputLost | null = null;
  /** Writes that the reader has not taken yet. */
  private waiting = 0;
  private idle = Promise.withResolvers<void>();

  constructor(private readonly stream: NodeJS.WriteStream) {
    // Each write reports its own failure. Without a listener, the event would end the process.
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
   * Writes at once, or as soon as the reader takes more. What a full disk refused is lost, later writes are tried
   * all the same.
   */
  write(data: string | Uint8Array): void {
    // A reader that left does not come back.
    if (this.lost?.readerLeft) return;
    if (this.waiting++ === 0) this.idle = Promise.withResolvers();
    this.stream.write(data, (error) => {
      if (error) this.lose(error);
      if (--this.waiting === 0) this.idle.resolve();
    });
  }

  /**
   * Writes, and waits until it was taken.
   * @throws OutputLost
   * @throws the reason of `signal` when it is aborted
   */
  async send(data: string | Uint8Array, signal: AbortSignal): Promise<void> {
    this.write(data);
    await this.drained(signal);
    signal.throwIfAborted();
    if (this.lost) throw this.lost;
  }

  /**
   * Waits until everything was taken or lost, however slow the reader is.
   * @param hurry once it is aborted, the reader has one more second
   * @returns whether everything was taken
   */
  async drained(hurry: AbortSignal): Promise<boolean> {
    if (this.waiting > 0) {
      const late = Promise.withResolvers<void>();
      let timer: Timer | undefined;
      const hasten = () => void (timer = setTimeout(late.resolve, GRACE_MS));
      if (hurry.aborted) hasten();
      else hurry.addEventListener("abort", hasten);
      await Promise.race([this.idle.promise, late.promise]);
      hurry.removeEventListener("abort", hasten);
      clearTimeout(timer);
    }
    return this.waiting === 0 && this.lost === null;
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
 * Ends the process once what it wrote was taken.
 * @param hurry once it is aborted, readers have one second more
 */
export async function exit(code: number, hurry: AbortSignal): Promise<never> {
  await Promise.all([stdout.drained(hurry), stderr.drained(hurry)]);
  return process.exit(code);
}
