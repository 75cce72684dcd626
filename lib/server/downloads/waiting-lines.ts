import type { Line, Waiting } from "../database/repository.ts";

/**
 * The clients that wait for downloads to start, as far as this process knows. Each job has a line of clients,
 * and downloads without a job share one. The lines take turns, and so do the clients in a line: after its
 * turn, a client goes to the end. The rows of the database are authoritative.
 */
export class WaitingLines {
  /**
   * The clients of each line, with the number of the latest hint about each. The key is the id of the line's
   * job; null: the downloads without a job.
   */
  readonly #lines = new Map<Line, Map<string, number>>();
  #hints = 0;

  /**
   * Handles the hint that a download of a client is due: adds the client to the line of the download's job.
   */
  add({ clientId, line }: Waiting): void {
    const clients = this.#lines.get(line) ?? new Map<string, number>();
    this.#lines.set(line, clients.set(clientId, ++this.#hints));
  }

  /**
   * The lines with waiting clients, in the order of their turns: first the line of downloads without a job,
   * then those of jobs.
   */
  lines(): Line[] {
    const jobs = [...this.#lines.keys()].filter((line) => line !== null);
    return this.#lines.has(null) ? [null, ...jobs] : jobs;
  }

  /**
   * Yields the clients that wait in the line of a job, or of downloads without a job, in the order of their
   * turns, each with the number of its latest hint. The line may change meanwhile.
   */
  *clientsOf(line: Line): Generator<[clientId: string, hint: number]> {
    yield* this.#lines.get(line) ?? [];
  }

  /**
   * Moves a client to the end of its line, and this line behind all other lines, after a download of the
   * client was started.
   */
  served({ clientId, line }: Waiting): void {
    const clients = this.#lines.get(line);
    const hint = clients?.get(clientId);
    if (!clients || hint === undefined) return;
    clients.delete(clientId);
    clients.set(clientId, hint);
    this.#lines.delete(line);
    this.#lines.set(line, clients);
  }

  /**
   * Drops a client from a line, because it has no due download there or has disconnected.
   * @param hint number of the hint that was looked at; nothing is dropped if a newer hint has come
   */
  forget({ clientId, line }: Waiting, hint: number): void {
    const clients = this.#lines.get(line);
    if (clients?.get(clientId) !== hint) return;
    clients.delete(clientId);
    if (clients.size === 0) this.#lines.delete(line);
  }
}
