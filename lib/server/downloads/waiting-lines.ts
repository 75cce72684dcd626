import type { Line, Waiting } from "../database/repository.ts";

/**
 * What waits for connected clients, as far as this process was told. These are hints; the rows are the
 * truth. Lines take turns, and so do the clients of a line: whoever was served goes to the end.
 */
export class WaitingLines {
  /** The clients of each line, each with the number of its hint. */
  readonly #lines = new Map<Line, Map<string, number>>();
  #hints = 0;

  /** Adds a hint: a download of this line is due for a client. */
  add({ clientId, line }: Waiting): void {
    const clients = this.#lines.get(line) ?? new Map<string, number>();
    this.#lines.set(line, clients.set(clientId, ++this.#hints));
  }

  /** The waiting lines in turn, downloads without a job first. */
  lines(): Line[] {
    const jobs = [...this.#lines.keys()].filter((line) => line !== null);
    return this.#lines.has(null) ? [null, ...jobs] : jobs;
  }

  /** The clients of a line in turn, each with its hint. The line may change during the iteration. */
  *clientsOf(line: Line): Generator<[clientId: string, hint: number]> {
    yield* this.#lines.get(line) ?? [];
  }

  /** A download was started: moves its client and line to the end. */
  served({ clientId, line }: Waiting): void {
    const clients = this.#lines.get(line);
    const hint = clients?.get(clientId);
    if (!clients || hint === undefined) return;
    clients.delete(clientId);
    clients.set(clientId, hint);
    this.#lines.delete(line);
    this.#lines.set(line, clients);
  }

  /** Drops a client where nothing was due, or that is gone, unless there is a newer hint. */
  forget({ clientId, line }: Waiting, hint: number): void {
    const clients = this.#lines.get(line);
    if (clients?.get(clientId) !== hint) return;
    clients.delete(clientId);
    if (clients.size === 0) this.#lines.delete(line);
  }
}
