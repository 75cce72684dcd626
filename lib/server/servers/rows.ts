import type { Active, Downloading, Verifying } from "../download.ts";

/** A server that begins to work on a database. */
export interface NewLease {
  /** This time that the process holds a lease; another one after it has lost it. */
  leaseId: string;
  /** The process, as `/health` tells it. */
  serverId: string;
  /** What the machine knows the process by; null: it cannot be told from others there. */
  process: string | null;
  /** What the storage is known by: all servers have the same. */
  storage: string;
}

/** A lease of another server. */
export interface OtherLease {
  leaseId: string;
  process: string | null;
}

/** The session of a client, by the client's id. */
export interface HeldSession {
  clientId: string;
  sessionId: string;
}

/** A client for which downloads of a job wait, or of none. */
export interface WaitingClient {
  clientId: string;
  line: string | null;
}

/** A folder of a client that another server is asked to list; `order` is JSON. */
export interface AskedListing {
  requestId: string;
  clientId: string;
  order: string;
}

/** An attempt of this server, as its row has it. */
export type OwnAttempt = Pick<Downloading, "downloadId" | "epoch" | "rateLimit">;

/**
 * Several servers on one database. Each has a lease, which it renews. Who does not, loses it to one that
 * looks: what it worked on is then anybody's, and nothing that it still writes counts. Which server holds
 * a client is a row too. Times are of the database's clock, the one that all servers have.
 */
export interface ServerRows {
  /**
   * Begins a lease of this server: from now on every claim is made under it.
   * @returns the storage of a server that works on the database with another one; null: there is none
   */
  begin(lease: NewLease): Promise<string | null>;
  /** @returns false when the lease is lost */
  renew(): Promise<boolean>;
  /** Ends leases, and with them the sessions that they hold. */
  end(leaseIds: readonly string[]): Promise<void>;
  /** Ends the leases that were not renewed in time. @returns how many there were */
  endLapsed(): Promise<number>;
  /** The leases of others that are not over. */
  others(): Promise<OtherLease[]>;

  /**
   * This server holds a client from now on, and no other one does.
   * @returns false when the lease is lost
   */
  hold(session: HeldSession): Promise<boolean>;
  /** A session has ended, unless another one took its place. */
  release(session: HeldSession): Promise<void>;
  /** Ends the session of a client, whoever holds it: that server sees it by the row. */
  drop(clientId: string): Promise<void>;
  /** The sessions that this server holds. */
  held(): Promise<HeldSession[]>;
  countHeld(): Promise<number>;
  /** The server that holds a client now is another one. */
  isHeldElsewhere(clientId: string): Promise<boolean>;
  /** Whether the row of a client has this session. */
  isHeldBy(clientId: string, sessionId: string): Promise<boolean>;
  /** Two machines use the id of a client, in words for a person. */
  noteProblem(clientId: string, words: string): Promise<void>;
  /** The sessions of all clients that are connected, to whichever server. */
  connected(): Promise<HeldSession[]>;
  /** How many clients are connected, to whichever server. */
  countConnected(): Promise<number>;

  /** Downloads that nobody works on, though their rows say so, and those of this server. */
  ownerless(): Promise<Active[]>;
  /** Takes over a publishing, so that who began it can record nothing more. @returns null: another one did */
  takeOver(download: Verifying): Promise<Verifying | null>;
  /** The downloads of a client that other servers had begun. */
  runningElsewhere(clientId: string): Promise<Downloading[]>;
  /** The attempts of this server. */
  ownAttempts(): Promise<OwnAttempt[]>;
  /**
   * What waits for clients of this server, and changed since a revision.
   * @param now ms since 1970
   * @returns also the revision from which to ask the next time
   */
  waitingSince(revision: number, now: number): Promise<{ waiting: WaitingClient[]; upTo: number }>;

  /** Asks whichever server has a client to list a folder. */
  ask(listing: AskedListing): Promise<void>;
  /** Takes the questions about clients of this server: no other one answers them. */
  takeAsked(): Promise<AskedListing[]>;
  /** @param answer JSON */
  answer(requestId: string, answer: string): Promise<void>;
  /** @returns null: there is none yet */
  answerTo(requestId: string): Promise<string | null>;
  /** Nobody waits for an answer any more. */
  forget(requestId: string): Promise<void>;

  /** Tells all servers something, which may be lost. */
  notify(text: string): Promise<void>;
  /** Hears what is told. @returns ends it */
  listen(hear: (text: string) => void): Promise<() => Promise<void>>;
}

/** A lease that is not renewed is over after this time, in ms. */
export const LEASE_MS = 15_000;
