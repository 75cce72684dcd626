import type { ServerRows } from "./rows.ts";

/** Finds out which clients registered at other servers, or left them, even if no hint told of it. */
export class Presence {
  #known = new Map<string, string>();

  constructor(private readonly rows: Pick<ServerRows, "connected">) {}

  /** @returns the clients that registered or left since the last call */
  async changed(): Promise<string[]> {
    const before = this.#known;
    const rows = await this.rows.connected();
    this.#known = new Map(rows.map(({ clientId, sessionId }) => [clientId, sessionId]));
    const here = [...this.#known].filter(([id, session]) => before.get(id) !== session);
    const gone = [...before.keys()].filter((id) => !this.#known.has(id));
    return [...here.map(([id]) => id), ...gone];
  }
}
