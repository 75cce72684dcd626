import type { Line, Waiting } from "../database/repository.ts";

/**
 * What waits for clients that are connected, as far as this process was told: hints, the rows are the
 * truth. Lines take turns, and so do the clients of a line: whoever was served goes to the end.
 */
export class WaitingLines {
  /** The clients of each line, with the number of the hint. */
  readonly #lines = new Map<Line, Map<string, number>>();
  #hints = 0;

  /** A download of this line is due for a client. */
  add({ clientId, line }: Waiting): void {
    const clients = this.#lines.get(line) ?? new Map<string, number>();
    this.#lines.set(line, clients.set(clientId, ++this.#hints));
  }

  /** The lines that wait, whose turn it is first: what was asked for by itself, then jobs. */
  lines(): Line[] {
    const jobs = [...this.#lines.keys()].filter((line) => line !== null);
    return this.#lines.has(null) ? [null, ...jobs] : jobs;
  }

  /** The clients of a line in turn, each with its hint; changes on the way do no harm. */
  *clientsOf(line: Line): Generator<[clientId: string, hint: number]> {
    yield* this.#lines.get(line) ?? [];
  }

  /** A download was started: the client and the line go to the end. */
  served({ clientId, line }: Waiting): void {
    const clients = this.#lines.get(line);
    const hint = clients?.get(clientId);
    if (!clients || hint === undefined) return;
    clients.delete(clientId);
    clients.set(clientId, hint);
    this.#lines.delete(line);
    this.#lines.set(line, clients);
  }

  /** Nothing was due, or the client is gone, unless there was another hint meanwhile. */
  forget({ clientId, line }: Waiting, hint: number): void {
    const clients = this.#lines.get(line);
    if (clients?.get(clientId) !== hint) return;
    clients.delete(clientId);
    if (clients.size === 0) this.#lines.delete(line);
  }
}
