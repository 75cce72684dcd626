import type { Active, Downloading, Verifying } from "../download.ts";

/** The lease of a server that begins to work on a database. */
export interface NewLease {
  /** New for each lease, so a process that lost its lease and begins another one differs from before. */
  leaseId: string;
  /** The process, as `/health` shows it. */
  serverId: string;
  /** Mark of the process on its machine; null: not known. */
  process: string | null;
  /** Identity of the storage, the same for all servers. */
  storage: string;
}

/** A lease of another server. */
export interface OtherLease {
  leaseId: string;
  process: string | null;
  /** Whether it was not renewed in time. */
  isLapsed: boolean;
}

/** What a server looks at periodically, to notice what changed. */
export interface News {
  /** Number of sessions that this server holds. */
  held: number;
  /** Whether other servers ask about this server's clients. */
  isAsked: boolean;
  /** Revision of the latest change of a download. */
  revision: number;
}

/** The session of a connected client. */
export interface HeldSession {
  clientId: string;
  sessionId: string;
}

/** A client for which downloads wait, of one job or of none. */
export interface WaitingClient {
  clientId: string;
  line: string | null;
}

/** A request to another server to list a client's folder; `order` is JSON. */
export interface AskedListing {
  requestId: string;
  clientId: string;
  order: string;
}

/** An attempt of this server, by its row. */
export type OwnAttempt = Pick<Downloading, "downloadId" | "epoch" | "rateLimit">;

/**
 * The rows with which several servers share one database. Each server has a lease, which it renews. A
 * server that does not loses it to one that checks: its work may then be taken over, and nothing that it
 * still writes counts. Which server holds a client is a row, too. Times are those of the database's clock,
 * which all servers share.
 */
export interface ServerRows {
  /**
   * Begins a lease of this server; every claim from now on belongs to it.
   * @returns the identity of another storage with which a server works on the database; null: there is none
   */
  begin(lease: NewLease): Promise<string | null>;
  /** @returns false when the lease is lost */
  renew(): Promise<boolean>;
  /** Ends leases, with the sessions that belong to them. */
  end(leaseIds: readonly string[]): Promise<void>;
  /** Ends leases that were not renewed in time. @returns how many */
  endLapsed(): Promise<number>;
  /** The leases of other servers, also lapsed ones. */
  others(): Promise<OtherLease[]>;

  /**
   * Records that this server holds a client, and no other server does.
   * @returns false when the lease is lost
   */
  hold(session: HeldSession): Promise<boolean>;
  /** Removes a session that has ended, unless another one has replaced it. */
  release(session: HeldSession): Promise<void>;
  /** Removes the session of a client, whichever server holds it; that server notices by the row. */
  drop(clientId: string): Promise<void>;
  /** The sessions that this server holds. */
  held(): Promise<HeldSession[]>;
  /** Whether another server holds the client. */
  isHeldElsewhere(clientId: string): Promise<boolean>;
  /** Whether the client's row has this session. */
  isHeldBy(clientId: string, sessionId: string): Promise<boolean>;
  /** Records that two machines use the client's id, in a sentence for a person. */
  noteProblem(clientId: string, words: string): Promise<void>;
  /** The sessions of all connected clients, at any server. */
  connected(): Promise<HeldSession[]>;
  /** Number of connected clients, at any server. */
  countConnected(): Promise<number>;

  /** Downloads that are active by their rows but belong to no valid lease, and those of this server. */
  ownerless(): Promise<Active[]>;
  /**
   * Takes over a publishing, so that the server that began it can record nothing more.
   * @returns null: another one took it over
   */
  takeOver(download: Verifying): Promise<Verifying | null>;
  /** The client's downloads that other servers started. */
  runningElsewhere(clientId: string): Promise<Downloading[]>;
  /** The attempts of this server. */
  ownAttempts(): Promise<OwnAttempt[]>;
  /**
   * What waits for this server's clients and changed after a revision.
   * @param now ms since 1970
   * @returns also the revision for the next call
   */
  waitingSince(revision: number, now: number): Promise<{ waiting: WaitingClient[]; upTo: number }>;

  /** All that changes for a server that does nothing, in one statement. */
  news(): Promise<News>;

  /** Asks the server that holds a client to list a folder. */
  ask(listing: AskedListing): Promise<void>;
  /** Takes the requests about this server's clients; no other server answers them. */
  takeAsked(): Promise<AskedListing[]>;
  /** @param answer JSON */
  answer(requestId: string, answer: string): Promise<void>;
  /** @returns null: there is none yet */
  answerTo(requestId: string): Promise<string | null>;
  /** Removes a request for which nobody waits any more. */
  forget(requestId: string): Promise<void>;

  /** Notifies all servers. Notifications may be lost. */
  notify(text: string): Promise<void>;
  /**
   * Listens to notifications.
   * @param ended called when the connection is lost, unless it was stopped from here
   * @returns a function that stops it
   */
  listen(hear: (text: string) => void, ended: () => void): Promise<() => Promise<void>>;
}

/** Time after which a lease that is not renewed has lapsed, in ms. */
export const LEASE_MS = 15_000;
