import { FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { Client, Repository } from "../database/repository.ts";
import type { Session } from "./session.ts";
import type { Machine } from "./shared-ids.ts";

export interface HeldClientsOptions {
  repository: Pick<Repository, "getClient" | "servers">;
  /** Returns the session of a client that is registered at this server; undefined: it is not. */
  sessionOf: (clientId: string) => Session | undefined;
  sessions: () => ReadonlyMap<string, Session>;
  /** Reports that two machines use a client's id. @returns a sentence for people */
  reportSharedId: (clientId: string, first: Machine, second: Machine) => string;
  logger: Logger;
}

/**
 * Records which clients are connected to this server, if it is one of several servers. A row for each client
 * names its current session. A single server has no such rows, and these methods do nothing.
 */
export class HeldClients {
  /** Ids of the sessions that clients have with this server. An id is added before its row is written. */
  readonly #sessionIds = new Set<string>();

  constructor(private readonly options: HeldClientsOptions) {}

  /**
   * Records that a client is connected to this server, and no longer to any other one.
   * @throws FdsError `shutting_down`: this server has just lost its lease
   */
  async take(clientId: string, { id: sessionId }: Session): Promise<void> {
    const { servers } = this.options.repository;
    if (!servers) return;
    this.#sessionIds.add(sessionId);
    if (await servers.hold({ clientId, sessionId })) return;
    this.#sessionIds.delete(sessionId);
    throw new FdsError("shutting_down", "the server begins anew");
  }

  /** Deletes the row of a client whose session has ended. */
  release(clientId: string, { id: sessionId }: Session): void {
    const { servers } = this.options.repository;
    if (!servers || !this.#sessionIds.delete(sessionId)) return;
    servers
      .release({ clientId, sessionId })
      .catch((error: unknown) =>
        this.options.logger.error("that a client left was not recorded", { clientId }, error),
      );
  }

  /**
   * Makes the rows of this server's clients agree with its sessions: corrects the rows, and ends sessions
   * that are no longer valid.
   * @param count number of these rows in the database; if it equals the number of sessions, nothing is done
   */
  async check(count: number): Promise<void> {
    const { repository, sessions } = this.options;
    const { servers } = repository;
    if (!servers || count === sessions().size) return;
    const held = await servers.held();
    const ids = new Set(held.map(({ sessionId }) => sessionId));
    for (const one of held) if (!this.#sessionIds.has(one.sessionId)) await servers.release(one);
    for (const [clientId, session] of sessions()) {
      if (!ids.has(session.id)) await this.checkOne(clientId);
    }
  }

  /**
   * Ends the session of a client that was revoked or is connected to another server. Otherwise makes sure
   * that a row names the client's session.
   */
  async checkOne(clientId: string): Promise<void> {
    const { repository, sessionOf } = this.options;
    const { servers } = repository;
    const session = sessionOf(clientId);
    if (!servers || !session) return;
    const client = await repository.getClient(clientId);
    if (!client || sessionOf(clientId) !== session) return;
    if (client.revokedAt !== null) {
      session.end(new FdsError("client_revoked", "an operator revoked this client"));
    } else if (await servers.isHeldElsewhere(clientId)) this.#endReplaced(session, client);
    else if (!(await servers.isHeldBy(clientId, session.id))) {
      // The client's row is missing, or belongs to a server whose lease has lapsed. So this server writes the
      // row again.
      await servers.hold({ clientId, sessionId: session.id });
    }
  }

  /** Ends a session of this server, because its client is now connected to another server. */
  #endReplaced(session: Session, { clientId, remoteAddress, hostname }: Client): void {
    const { repository, reportSharedId } = this.options;
    session.replace(() => {
      const first = { address: session.remoteAddress, hostname };
      const problem = reportSharedId(clientId, first, { address: remoteAddress, hostname });
      void repository.servers?.noteProblem(clientId, problem);
    });
  }
}
