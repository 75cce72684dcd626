import type { Client, ClientFilter, Repository } from "../database/repository.ts";
import type { Session } from "./session.ts";
import type { SharedIds } from "./shared-ids.ts";

/** A client's row, and whether it is connected now. */
export interface KnownClient extends Client {
  connected: boolean;
  /** A problem of the client that a person has to solve, as a sentence. */
  problem?: string;
}

export interface ClientListFilter extends Omit<ClientFilter, "ids"> {
  /** True: only connected clients. False: only clients that are not connected. Absent: both. */
  connected?: boolean | undefined;
  /** Only clients with these ids, connected or not. This has no effect if `connected` is given. */
  onlyIds?: ReadonlySet<string>;
}

export interface KnownClientsOptions {
  repository: Pick<Repository, "getClient" | "listClients" | "servers">;
  /** The sessions of this server. The key is the client's id. */
  sessions: ReadonlyMap<string, Session>;
  shared: Pick<SharedIds, "problemOf">;
}

/** Reads the rows of clients, and adds whether each client is connected now. */
export class KnownClients {
  constructor(private readonly options: KnownClientsOptions) {}

  /** Lists clients in the order of their ids. */
  async list({ connected, onlyIds, ...filter }: ClientListFilter): Promise<KnownClient[]> {
    const { repository, sessions } = this.options;
    const named = onlyIds && { are: "in" as const, ids: onlyIds };
    let wanted: Pick<ClientFilter, "held" | "ids"> = { ids: named };
    if (connected !== undefined && repository.servers) wanted = { held: connected };
    else if (connected !== undefined) {
      wanted = { ids: { are: connected ? "in" : "not_in", ids: new Set(sessions.keys()) } };
    }
    const clients = await repository.listClients({ ...filter, ...wanted });
    return clients.map((client) => this.withConnection(client));
  }

  async get(clientId: string): Promise<KnownClient | null> {
    const client = await this.options.repository.getClient(clientId);
    return client && this.withConnection(client);
  }

  withConnection({ heldAt, heldProblem, ...row }: Client): KnownClient {
    const { sessions, shared } = this.options;
    const session = sessions.get(row.clientId);
    const problem = shared.problemOf(row.clientId) ?? heldProblem;
    const known = problem === undefined ? row : { ...row, problem };
    if (session) return { ...known, connected: true, lastSeenAt: session.lastHeardAt };
    const lastSeenAt = Math.max(row.lastSeenAt, heldAt ?? 0);
    return { ...known, connected: heldAt !== undefined, lastSeenAt };
  }
}
