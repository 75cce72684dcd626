import type { Line, Waiting } from "../database/repository.ts";

/**
 * The clients that wait for downloads to start, as far as this process was told. Lines take turns, and so do
 * the clients in a line: after its turn, a client goes to the end. These are only hints; the rows of the
 * database are authoritative.
 */
export class WaitingLines {
  /** The clients of each line, each with the number of its latest hint. */
  readonly #lines = new Map<Line, Map<string, number>>();
  #hints = 0;

  /** Adds the hint that a download in a line is due for a client. */
  add({ clientId, line }: Waiting): void {
    const clients = this.#lines.get(line) ?? new Map<string, number>();
    this.#lines.set(line, clients.set(clientId, ++this.#hints));
  }

  /** The lines with waiting clients, in the order of their turns. Downloads without a job come first. */
  lines(): Line[] {
    const jobs = [...this.#lines.keys()].filter((line) => line !== null);
    return this.#lines.has(null) ? [null, ...jobs] : jobs;
  }

  /** The clients of a line in the order of their turns, each with its hint. The line may change meanwhile. */
  *clientsOf(line: Line): Generator<[clientId: string, hint: number]> {
    yield* this.#lines.get(line) ?? [];
  }

  /** Moves a client and its line to the end, after a download of the client was started. */
  served({ clientId, line }: Waiting): void {
    const clients = this.#lines.get(line);
    const hint = clients?.get(clientId);
    if (!clients || hint === undefined) return;
    clients.delete(clientId);
    clients.set(clientId, hint);
    this.#lines.delete(line);
    this.#lines.set(line, clients);
  }

  /** Drops a client that has no due download or has left, unless there is a newer hint. */
  forget({ clientId, line }: Waiting, hint: number): void {
    const clients = this.#lines.get(line);
    if (clients?.get(clientId) !== hint) return;
    clients.delete(clientId);
    if (clients.size === 0) this.#lines.delete(line);
  }
}
