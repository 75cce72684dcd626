import type { ServerRows } from "./rows.ts";

/** Notices which clients came to other servers, or left them, where nobody told of it. */
export class Presence {
  #known = new Map<string, string>();

  constructor(private readonly rows: Pick<ServerRows, "connected">) {}

  /** @returns the clients that came, left or came again since the last time */
  async changed(): Promise<string[]> {
    const before = this.#known;
    const rows = await this.rows.connected();
    this.#known = new Map(rows.map(({ clientId, sessionId }) => [clientId, sessionId]));
    const here = [...this.#known].filter(([id, session]) => before.get(id) !== session);
    const gone = [...before.keys()].filter((id) => !this.#known.has(id));
    return [...here.map(([id]) => id), ...gone];
  }
}
