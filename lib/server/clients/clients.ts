import { FdsError } from "../../protocol/errors.ts";
import { ClientId, type Introduction, type Register } from "../../protocol/messages.ts";
import type { Logger } from "../../util/logger.ts";
import type { AuditAction } from "../../api/audit.ts";
import type { Audit } from "../audit/audit.ts";
import type { EnrolmentKeys } from "./enrolment.ts";
import type { Repository } from "../database/repository.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { HeldClients } from "./held-clients.ts";
import { type ClientListFilter, type KnownClient, KnownClients } from "./known-clients.ts";
import { LastSeen } from "./last-seen.ts";
import { OpenSessions } from "./open-sessions.ts";
import { type OwnedChanges, OwnedFields } from "./owned-fields.ts";
import type { ProbeAnswer } from "./registered-client.ts";
import { Registrar } from "./registrar.ts";
import { RegistrationLimits } from "./registration-limits.ts";
import { type Machine, SharedIds } from "./shared-ids.ts";
import { Session, type SessionHost, type Way } from "./session.ts";
import type { Socket } from "./socket.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import { LineLimit } from "../../util/line-limit.ts";
import type { Caller } from "../access/caller.ts";
import { networkOf } from "../access/remote-address.ts";
import { areOf } from "../access/sites.ts";

export interface ClientsOptions {
  repository: Repository;
  /** Null: clients need none. */
  enrolToken: string | null;
  enrolmentKeys: Pick<EnrolmentKeys, "find" | "use">;
  /** Most bytes in a frame that this server accepts. */
  chunkSize: number;
  version: string;
  metrics: Metrics;
  audit: Pick<Audit, "record">;
  logger: Logger;
  /** A client has registered, so it can be asked for files. */
  onRegistered: (session: Session) => void;
  /** A client has registered or left. */
  onChange: (clientId: string) => void;
  /** A client's labels or time zone changed. */
  onLabelled: (clientId: string) => void;
}

/** The connected clients. It lets clients register, and keeps one session for each id. */
export class Clients implements SessionHost {
  readonly #sessions = new OpenSessions();
  readonly #byId = new Map<string, Session>();
  /** Link measurements of clients that delivered something and left. */
  readonly #ways = new Map<string, Way>();
  readonly #lastSeen: LastSeen;
  readonly #registrations = new SerialQueue();
  readonly #limits = new RegistrationLimits();
  readonly #registrar: Registrar;
  readonly #ownedFields: OwnedFields;
  readonly #lines: LineLimit;
  readonly #shared: SharedIds;
  /** The server that holds each connected client, where there are several. */
  readonly held: HeldClients;
  readonly #known: KnownClients;

  constructor(private readonly options: ClientsOptions) {
    this.#shared = new SharedIds(options.onChange);
    this.#lines = new LineLimit(options.logger);
    this.#lastSeen = new LastSeen(options);
    this.#ownedFields = new OwnedFields(options);
    this.#registrar = new Registrar({
      ...options,
      limits: this.#limits,
      ownedFields: this.#ownedFields,
      isConnected: (clientId) => this.isConnected(clientId),
    });
    this.#known = new KnownClients({ ...options, here: this.#byId, shared: this.#shared });
    this.held = new HeldClients({
      ...options,
      sessionOf: (clientId) => this.#byId.get(clientId),
      sessions: () => this.#byId,
      noticeTwo: (clientId, first, second) => this.#noticeTwo(clientId, first, second),
    });
  }

  /** Number of registered and connected clients, at any server. */
  async countConnected(): Promise<number> {
    return (await this.options.repository.servers?.countConnected()) ?? this.#byId.size;
  }

  /** Whether a client is connected, to any server. */
  async isConnected(clientId: string): Promise<boolean> {
    if (this.#byId.has(clientId)) return true;
    return (await this.options.repository.servers?.isHeldElsewhere(clientId)) ?? false;
  }

  /** How long an address has to wait after too many connections without a registration, in ms. */
  waitOf(remoteAddress: string): number {
    return this.#limits.waitOf(remoteAddress);
  }

  /**
   * Begins a session for a connection that has not registered yet.
   * @param onRegistered called when it has
   */
  connect(socket: Socket, remoteAddress: string, onRegistered?: () => void): Session {
    const logger = this.#lines.of(networkOf(remoteAddress));
    const session = new Session(socket, remoteAddress, this, logger, onRegistered);
    this.#sessions.add(session);
    return session;
  }

  /** Refuses a connection: tells it why, and ends it. */
  refuse(socket: Socket, remoteAddress: string, error: FdsError): void {
    this.options.metrics.refused(error.code);
    const fields = { code: error.code, remote_address: remoteAddress };
    const logger = this.#lines.of(networkOf(remoteAddress));
    logger.warn(`connection refused: ${error.message}`, fields);
    this.connect(socket, remoteAddress).end(error);
  }

  /** See {@link SharedIds.problemOf}. */
  problemOf(clientId: string, since?: number): string | null {
    return this.#shared.problemOf(clientId, since);
  }

  sessionOf(clientId: string): Session | undefined {
    return this.#byId.get(clientId);
  }

  /** By id. @param connected only connected ones, or only the others */
  list(filter: ClientListFilter): Promise<KnownClient[]> {
    return this.#known.list(filter);
  }

  get(clientId: string): Promise<KnownClient | null> {
    return this.#known.get(clientId);
  }

  /** Registers a client; one id after the other, so that a second registration sees the first. */
  register(session: Session, message: Register): Promise<void> {
    return this.#registrations.run(() => this.#register(session, message), message.client_id);
  }

  async #register(session: Session, message: Register): Promise<void> {
    const about = { clientId: message.client_id, address: session.remoteAddress };
    try {
      const target = await this.#letIn(session, message);
      this.options.audit.record({ action: "client_register", outcome: "ok", ...about, target });
    } catch (error) {
      this.#refused("client_register", about, error);
      throw error;
    }
  }

  /** Checks whether a client may register. It changes nothing, and does not disturb a connected client. */
  async probe(session: Session, message: Introduction): Promise<ProbeAnswer> {
    const { version, audit } = this.options;
    const about = { clientId: message.client_id, address: session.remoteAddress };
    try {
      const enrols = await this.#registrar.probe(message, session.remoteAddress);
      audit.record({ action: "client_probe", outcome: "ok", ...about });
      return { version, enrols, connected: await this.isConnected(message.client_id) };
    } catch (error) {
      this.#refused("client_probe", about, error);
      throw error;
    }
  }

  /** Counts and records a refusal, so that guessing is slow and leaves a trace. */
  #refused(action: AuditAction, about: { clientId: string; address: string }, error: unknown) {
    this.#limits.refused(about.address);
    const code = error instanceof FdsError ? error.code : "internal_error";
    this.options.metrics.refused(code);
    this.options.audit.record({ action, outcome: code, ...about });
  }

  /** @returns the name of the enrolment key that was used, if any */
  async #letIn(session: Session, message: Register): Promise<string | null> {
    const { chunkSize, version, logger } = this.options;
    const { client, known, enrolledWith } = await this.#registrar.record(
      message,
      session.remoteAddress,
    );
    const { clientId, keyHash, connectedAt } = client;
    if (!this.#sessions.has(session)) return enrolledWith;
    await this.held.take(clientId, session);
    if (!this.#sessions.has(session)) {
      this.held.left(clientId, session);
      return enrolledWith;
    }
    // Either the same client, back before its old connection was found dead, or another machine.
    const old = this.#byId.get(clientId);
    const [hostname, before] = [client.hostname, known?.hostname ?? client.hostname];
    old?.replace(() => {
      const first = { address: old.remoteAddress, hostname: before };
      this.#noticeTwo(clientId, first, { address: session.remoteAddress, hostname });
    });
    this.#byId.set(clientId, session);
    const way = this.#ways.get(clientId);
    if (way) session.recall(way);
    const agreed = Math.min(chunkSize, message.chunk_size);
    session.registered(
      { clientId, keyHash, chunkSize: agreed, connectedAt, features: new Set(message.features) },
      { version, ...(message.new_key !== undefined && { new_key_taken: true }) },
    );
    this.options.metrics.registrations++;
    if (known) this.options.metrics.reconnects++;
    logger.info("client registered", {
      client_id: clientId,
      remote_address: session.remoteAddress,
      version: message.version,
    });
    this.options.onRegistered(session);
    this.options.onChange(clientId);
    return enrolledWith;
  }

  /**
   * Changes a client's labels or time zone.
   * @throws FdsError `client_not_found`; `invalid_request` where it would have too many labels
   */
  change(clientId: string, changes: OwnedChanges): Promise<KnownClient> {
    // One after the other: two changes at once could exceed the number of labels.
    return this.#registrations.run(async () => {
      const before = await this.options.repository.getClient(clientId);
      if (!before) throw clientNotFound(clientId);
      await this.#ownedFields.change(before, changes);
      this.options.onChange(clientId);
      const { labels, timeZone } = changes;
      if (labels || timeZone !== undefined) this.options.onLabelled(clientId);
      return (await this.get(clientId)) ?? this.#known.withConnection(before);
    }, clientId);
  }

  /**
   * Whether a caller may see a client and its downloads. What a caller may not see is answered as if it did
   * not exist: with 404, or left out of lists, totals and events. A 403 means only that the role is too low
   * for a call.
   */
  async sees({ sites }: Pick<Caller, "sites">, clientId: string): Promise<boolean> {
    if (sites?.selector == null) return areOf(sites, clientId, {});
    return areOf(sites, clientId, await this.options.repository.labelsOf(clientId));
  }

  /**
   * Revokes a client: refuses its key from now on, and cuts its connection. Its downloads go back to the
   * queue, and wait for the machine that an admin lets take its place.
   * @throws FdsError `client_not_found`
   */
  async revoke(clientId: string): Promise<KnownClient> {
    const client = await this.options.repository.revokeClient(clientId, Date.now());
    if (!client) throw clientNotFound(clientId);
    await this.options.repository.servers?.drop(clientId);
    const session = this.#byId.get(clientId);
    session?.end(new FdsError("client_revoked", "an operator revoked this client"));
    this.options.logger.warn("client revoked", { client_id: clientId, connected: !!session });
    this.options.onChange(clientId);
    return this.#known.withConnection(client);
  }

  /** Reports that two machines use one id: one answered after the other had taken its id. */
  #noticeTwo(clientId: string, first: Machine, second: Machine): string {
    const message = this.#shared.notice(clientId, first, second);
    const { logger, audit, onChange } = this.options;
    logger.warn(message, { client_id: clientId });
    const [address, target] = [first.address, second.address];
    audit.record({ action: "two_machines", outcome: "replaced", clientId, address, target });
    this.#byId.get(clientId)?.interrupt({ code: "id_in_use", message });
    onChange(clientId);
    return message;
  }

  /** Ends every session; the clients come back, to this server or another one. */
  endAll(): void {
    this.#sessions.endAll();
  }

  ended(session: Session): void {
    this.#sessions.delete(session);
    const clientId = session.client?.clientId;
    if (clientId === undefined) return this.#limits.leftUnregistered(session.remoteAddress);
    if (session.rate !== null) this.#ways.set(clientId, session.way);
    if (this.#byId.get(clientId) !== session) return;
    this.#byId.delete(clientId);
    this.held.left(clientId, session);
    this.options.logger.info("client disconnected", { client_id: clientId });
    this.#lastSeen.left(clientId, session.lastHeardAt);
  }

  /** Ends every session as the server stops; the clients come back. */
  async close(): Promise<void> {
    this.#sessions.close();
    await this.#lastSeen.settled();
  }
}

/** The answer for an id without a client, or with one that the caller may not see. */
export function clientNotFound(clientId: string): FdsError {
  // An invalid id may be of any length, and have line breaks.
  const named = ClientId.safeParse(clientId).success ? `"${clientId}"` : "of this name";
  return new FdsError("client_not_found", `No client ${named} ever registered`);
}
