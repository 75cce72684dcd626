import { FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { Client, Repository } from "../database/repository.ts";
import type { Session } from "./session.ts";
import type { Machine } from "./shared-ids.ts";

export interface HeldClientsOptions {
  repository: Pick<Repository, "getClient" | "servers">;
  /** The session of a client that is registered here. */
  sessionOf: (clientId: string) => Session | undefined;
  sessions: () => ReadonlyMap<string, Session>;
  /** Two machines use the id of a client. @returns it in words */
  noticeTwo: (clientId: string, first: Machine, second: Machine) => string;
  logger: Logger;
}

/**
 * The clients that this server holds, among several servers: of each client the row of one session says
 * who has it. Where there is one server alone, there are no such rows, and nothing is asked.
 */
export class HeldClients {
  /** Ids of the sessions here, from before their row is written. */
  readonly #own = new Set<string>();

  constructor(private readonly options: HeldClientsOptions) {}

  /**
   * A client registers here: whichever server had it has it no more.
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

  /** A session is over. */
  left(clientId: string, { id: sessionId }: Session): void {
    const { servers } = this.options.repository;
    if (!servers || !this.#own.delete(sessionId)) return;
    servers
      .release({ clientId, sessionId })
      .catch((error: unknown) =>
        this.options.logger.error("that a client left was not recorded", { clientId }, error),
      );
  }

  /** Looks whether the rows have all sessions of this server, and no others as its own. */
  async check(): Promise<void> {
    const { repository, sessions } = this.options;
    const { servers } = repository;
    if (!servers || (await servers.countHeld()) === sessions().size) return;
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
      // A server that took it has ended since then.
      await servers.hold({ clientId, sessionId: session.id });
    }
  }

  /** A client that has a session here is connected to another server: it is that one's. */
  #leave(session: Session, { clientId, remoteAddress, hostname }: Client): void {
    const { repository, noticeTwo } = this.options;
    session.replace(() => {
      const first = { address: session.remoteAddress, hostname };
      const words = noticeTwo(clientId, first, { address: remoteAddress, hostname });
      void repository.servers?.noteProblem(clientId, words);
    });
  }
}
