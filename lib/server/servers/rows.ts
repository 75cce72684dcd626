import type { Active, Downloading, Verifying } from "../download.ts";

/** The lease of a server that starts to work on a database. */
export interface NewLease {
  /** Id that no other lease has. A process that loses its lease gets another id with its next lease. */
  leaseId: string;
  /** Id of the server's process, as `/health` shows it. */
  serverId: string;
  /** Mark that identifies the process on its machine; null: not known. */
  process: string | null;
  /** Identity of the storage, which must be the same for all servers of a database. */
  storage: string;
}

/** A lease of another server. */
export interface OtherLease {
  leaseId: string;
  process: string | null;
  /** Whether the lease was not renewed in time. */
  isLapsed: boolean;
}

/** The values that a server reads periodically, to notice changes by other servers. */
export interface News {
  /** Number of client sessions that this server holds. */
  held: number;
  /** Whether there are requests by other servers to list folders of this server's clients. */
  isAsked: boolean;
  /** Revision of the latest change of a download. */
  revision: number;
}

/** The session of a connected client. */
export interface HeldSession {
  clientId: string;
  sessionId: string;
}

/**
 * A client with queued downloads. `line` is the id of the job to which they belong; null: they belong to no
 * job.
 */
export interface WaitingClient {
  clientId: string;
  line: string | null;
}

/** A request to another server to list a folder of a client. `order` says what to list, as JSON. */
export interface AskedListing {
  requestId: string;
  clientId: string;
  order: string;
}

/** An attempt that this server runs, as the row of its download shows it. */
export type OwnAttempt = Pick<Downloading, "downloadId" | "epoch" | "rateLimit">;

/**
 * The rows by which several servers share one database. Each server renews its lease. If it does not, another
 * server ends the lease and may take over the work, and writes under the old lease have no effect. Times are
 * those of the database's clock, which all servers share.
 */
export interface ServerRows {
  /**
   * Begins a lease of this server. All downloads that this server claims from now on belong to this lease.
   * @returns the identity of a different storage that another server uses with this database; null: there is
   *   none
   */
  begin(lease: NewLease): Promise<string | null>;
  /**
   * Renews this server's lease.
   * @returns false if the lease is lost
   */
  renew(): Promise<boolean>;
  /** Ends leases, together with the client sessions that belong to them. */
  end(leaseIds: readonly string[]): Promise<void>;
  /**
   * Ends the leases of other servers that were not renewed in time.
   * @returns the number of leases that were ended
   */
  endLapsed(): Promise<number>;
  /** Returns the leases of other servers, including lapsed ones. */
  others(): Promise<OtherLease[]>;

  /**
   * Records that a client is connected to this server, and to no other one.
   * @returns false if the lease is lost
   */
  hold(session: HeldSession): Promise<boolean>;
  /** Removes a session that has ended, unless a newer session of the client has replaced it. */
  release(session: HeldSession): Promise<void>;
  /**
   * Removes the session of a client, whichever server holds the session. That server notices this by the
   * missing row.
   */
  drop(clientId: string): Promise<void>;
  /** Returns the client sessions that this server holds. */
  held(): Promise<HeldSession[]>;
  /** Reports whether the client is connected to another server. */
  isHeldElsewhere(clientId: string): Promise<boolean>;
  /** Reports whether this session is the client's current one. */
  isHeldBy(clientId: string, sessionId: string): Promise<boolean>;
  /**
   * Records that two machines use the client's id.
   * @param problem the problem in a sentence for people
   */
  noteProblem(clientId: string, problem: string): Promise<void>;
  /** Returns the sessions of all connected clients, at any server. */
  connected(): Promise<HeldSession[]>;
  /** Returns the number of connected clients, at any server. */
  countConnected(): Promise<number>;

  /**
   * Returns the downloads that are downloading or verifying under no existing lease, or under this server's
   * lease.
   */
  recoverable(): Promise<Active[]>;
  /**
   * Takes over a download that is being published, so that the server that began to publish can record
   * nothing more.
   * @returns the download with its new epoch; null: its row was changed meanwhile, for example by another
   *   server that took it over
   */
  takeOver(download: Verifying): Promise<Verifying | null>;
  /** Returns the running downloads of a client that other servers started. */
  runningElsewhere(clientId: string): Promise<Downloading[]>;
  /** Returns the attempts that this server runs. */
  ownAttempts(): Promise<OwnAttempt[]>;
  /**
   * Finds queued downloads of this server's clients that are due and that changed after a revision.
   * @param now ms since 1970
   * @returns the clients and jobs of these downloads, and the revision for the next call
   */
  waitingSince(revision: number, now: number): Promise<{ waiting: WaitingClient[]; upTo: number }>;

  /** Reads, in one statement, the values by which a server notices changes. */
  news(): Promise<News>;

  /** Requests a listing of a client's folder from the server to which the client is connected. */
  ask(listing: AskedListing): Promise<void>;
  /** Takes the waiting requests about this server's clients, so that no other server handles them. */
  takeAsked(): Promise<AskedListing[]>;
  /**
   * Stores the answer to a request of another server.
   * @param answer JSON
   */
  answer(requestId: string, answer: string): Promise<void>;
  /**
   * Returns the answer to a request.
   * @returns JSON; null: there is no answer yet
   */
  answerTo(requestId: string): Promise<string | null>;
  /** Removes a request when nobody waits for its answer any more. */
  forget(requestId: string): Promise<void>;

  /** Sends a notification to all servers. Notifications may be lost. */
  notify(text: string): Promise<void>;
  /**
   * Listens for notifications.
   * @param ended called when the connection is lost, except after a call of the returned function
   * @returns a function that stops listening
   */
  listen(hear: (text: string) => void, ended: () => void): Promise<() => Promise<void>>;
}

/** Time in ms without a renewal after which a lease has lapsed. */
export const LEASE_MS = 15_000;
