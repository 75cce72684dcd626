import { FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { Client, Repository } from "../database/repository.ts";
import type { Session } from "./session.ts";
import type { Machine } from "./shared-ids.ts";

export interface HeldClientsOptions {
  repository: Pick<Repository, "getClient" | "servers">;
  /** The session of a client that is registered at this server. */
  sessionOf: (clientId: string) => Session | undefined;
  sessions: () => ReadonlyMap<string, Session>;
  /** Reports that two machines use a client's id. @returns a sentence for people */
  noticeTwo: (clientId: string, first: Machine, second: Machine) => string;
  logger: Logger;
}

/**
 * The clients that this server holds, as one of several servers: a row for each client names the session
 * that holds it. With a single server there are no such rows, and nothing is asked.
 */
export class HeldClients {
  /** Ids of this server's sessions, known before their rows are written. */
  readonly #own = new Set<string>();

  constructor(private readonly options: HeldClientsOptions) {}

  /**
   * Takes a client that registers here from whichever server held it.
   * @throws FdsError `shutting_down` where this server has just lost its lease
   */
  async take(clientId: string, { id: sessionId }: Session): Promise<void> {
    const { servers } = this.options.repository;
    if (!servers) return;
    this.#own.add(sessionId);
    if (await servers.hold({ clientId, sessionId })) return;
    this.#own.delete(sessionId);
    throw new FdsError("shutting_down", "the server begins anew");
  }

  /** Removes the row of a session that is over. */
  left(clientId: string, { id: sessionId }: Session): void {
    const { servers } = this.options.repository;
    if (!servers || !this.#own.delete(sessionId)) return;
    servers
      .release({ clientId, sessionId })
      .catch((error: unknown) =>
        this.options.logger.error("that a client left was not recorded", { clientId }, error),
      );
  }

  /**
   * Compares the rows with this server's sessions, and corrects differences.
   * @param count of the rows
   */
  async check(count: number): Promise<void> {
    const { repository, sessions } = this.options;
    const { servers } = repository;
    if (!servers || count === sessions().size) return;
    const held = await servers.held();
    const ids = new Set(held.map(({ sessionId }) => sessionId));
    for (const one of held) if (!this.#own.has(one.sessionId)) await servers.release(one);
    for (const [clientId, session] of sessions()) {
      if (!ids.has(session.id)) await this.checkOne(clientId);
    }
  }

  /** The same for one client. */
  async checkOne(clientId: string): Promise<void> {
    const { repository, sessionOf } = this.options;
    const { servers } = repository;
    const session = sessionOf(clientId);
    if (!servers || !session) return;
    const client = await repository.getClient(clientId);
    if (!client || sessionOf(clientId) !== session) return;
    if (client.revokedAt !== null) {
      session.end(new FdsError("client_revoked", "an operator revoked this client"));
    } else if (await servers.isHeldElsewhere(clientId)) this.#leave(session, client);
    else if (!(await servers.isHeldBy(clientId, session.id))) {
      // The server that had taken it has ended since then.
      await servers.hold({ clientId, sessionId: session.id });
    }
  }

  /** Ends a session here: its client is connected to another server, and belongs to that one. */
  #leave(session: Session, { clientId, remoteAddress, hostname }: Client): void {
    const { repository, noticeTwo } = this.options;
    session.replace(() => {
      const first = { address: session.remoteAddress, hostname };
      const words = noticeTwo(clientId, first, { address: remoteAddress, hostname });
      void repository.servers?.noteProblem(clientId, words);
    });
  }
}
