import type { ServerRows } from "./rows.ts";

/**
 * Finds clients that connected to any server or disconnected. It compares rows, because messages between
 * servers may be lost.
 */
export class Presence {
  #sessions = new Map<string, string>();

  constructor(private readonly rows: Pick<ServerRows, "connected">) {}

  /**
   * Compares the current sessions with those of the last call.
   * @returns ids of the clients that registered or left in between
   */
  async changed(): Promise<string[]> {
    const before = this.#sessions;
    const rows = await this.rows.connected();
    this.#sessions = new Map(rows.map(({ clientId, sessionId }) => [clientId, sessionId]));
    const arrived = [...this.#sessions].filter(([id, session]) => before.get(id) !== session);
    const gone = [...before.keys()].filter((id) => !this.#sessions.has(id));
    return [...arrived.map(([id]) => id), ...gone];
  }
}
