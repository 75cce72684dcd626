import { join } from "node:path";
import { Failure } from "../../../lib/cli/program.ts";
import { spawn } from "../../support/spawn.ts";

/** A helper program in a process of its own, so that its work does not delay the event loop of the bench. */
export class Peer implements AsyncDisposable {
  readonly #process: Bun.Subprocess;
  readonly #said: unknown[] = [];
  #wanted = Promise.withResolvers<void>();
  #over = false;

  /**
   * Starts a helper.
   * @param file name of a file in this folder
   * @param args arguments of the helper
   */
  static start(file: string, args: string[] = []): Peer {
    return new Peer(file, args);
  }

  private constructor(
    private readonly file: string,
    args: string[],
  ) {
    const command = ["--no-env-file", "--no-orphans", join(import.meta.dir, file), ...args];
    this.#process = spawn([process.execPath, ...command], {
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (message) => {
        this.#said.push(message);
        this.#wanted.resolve();
      },
      onExit: () => {
        this.#over = true;
        this.#wanted.resolve();
      },
    });
  }

  /**
   * Returns the next message from the helper.
   * @throws Failure if the helper ends instead
   */
  async next(): Promise<unknown> {
    while (this.#said.length === 0) {
      if (this.#over) throw new Failure(`the bench's ${this.file} ended by itself`);
      this.#wanted = Promise.withResolvers();
      await this.#wanted.promise;
    }
    return this.#said.shift();
  }

  tell(message: unknown): void {
    this.#process.send(message);
  }

  /** Sends a message to the helper, and returns the helper's next message. */
  ask(message: unknown): Promise<unknown> {
    this.tell(message);
    return this.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}
