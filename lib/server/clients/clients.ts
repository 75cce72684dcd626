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
import { Session, type SessionHost, type LinkMeasurements } from "./session.ts";
import type { Socket } from "./socket.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import { LineLimit } from "../../util/line-limit.ts";
import type { Caller } from "../access/caller.ts";
import { networkOf } from "../access/remote-address.ts";
import { areOf } from "../access/sites.ts";

export interface ClientsOptions {
  repository: Repository;
  /** The ENROLL_TOKEN of the settings, with which clients enrol; null: clients need not enrol. */
  enrolToken: string | null;
  enrolmentKeys: Pick<EnrolmentKeys, "find" | "use">;
  /** Maximum number of bytes in a frame that this server accepts. */
  chunkSize: number;
  version: string;
  metrics: Metrics;
  audit: Pick<Audit, "record">;
  logger: Logger;
  /** Called when a client has registered, so that files can be requested from it. */
  onRegistered: (session: Session) => void;
  /** Called when a client registered or disconnected, or when something that REST shows of it changed. */
  onChange: (clientId: string) => void;
  /** Called when a client's labels or time zone changed. */
  onLabelled: (clientId: string) => void;
}

/** The connected clients. Lets clients register, and keeps one session for each client id. */
export class Clients implements SessionHost {
  readonly #sessions = new OpenSessions();
  readonly #byId = new Map<string, Session>();
  /** Rate and round trip of each client's last connection, for its next one. The key is the client's id. */
  readonly #previousLinks = new Map<string, LinkMeasurements>();
  readonly #lastSeen: LastSeen;
  readonly #registrations = new SerialQueue();
  readonly #limits = new RegistrationLimits();
  readonly #registrar: Registrar;
  readonly #ownedFields: OwnedFields;
  readonly #loggers: LineLimit;
  readonly #shared: SharedIds;
  /** Records which clients are connected to this server, if there are several servers. */
  readonly held: HeldClients;
  readonly #known: KnownClients;

  constructor(private readonly options: ClientsOptions) {
    this.#shared = new SharedIds(options.onChange);
    this.#loggers = new LineLimit(options.logger);
    this.#lastSeen = new LastSeen(options);
    this.#ownedFields = new OwnedFields(options);
    this.#registrar = new Registrar({
      ...options,
      limits: this.#limits,
      ownedFields: this.#ownedFields,
      isConnected: (clientId) => this.isConnected(clientId),
    });
    this.#known = new KnownClients({ ...options, sessions: this.#byId, shared: this.#shared });
    this.held = new HeldClients({
      ...options,
      sessionOf: (clientId) => this.#byId.get(clientId),
      sessions: () => this.#byId,
      reportSharedId: (clientId, first, second) => this.#reportSharedId(clientId, first, second),
    });
  }

  /** The number of connected clients, at any server. */
  async countConnected(): Promise<number> {
    return (await this.options.repository.servers?.countConnected()) ?? this.#byId.size;
  }

  /** Reports whether a client is connected to any server. */
  async isConnected(clientId: string): Promise<boolean> {
    if (this.#byId.has(clientId)) return true;
    return (await this.options.repository.servers?.isHeldElsewhere(clientId)) ?? false;
  }

  /** Returns how long an address must still wait before it may connect, in ms; 0: it may connect now. */
  waitOf(remoteAddress: string): number {
    return this.#limits.waitOf(remoteAddress);
  }

  /**
   * Begins a session for a connection that has not registered yet.
   * @param onRegistered called when the client has registered
   */
  connect(socket: Socket, remoteAddress: string, onRegistered?: () => void): Session {
    const logger = this.#loggers.of(networkOf(remoteAddress));
    const session = new Session(socket, remoteAddress, this, logger, onRegistered);
    this.#sessions.add(session);
    return session;
  }

  /** Refuses a connection: sends it the error as the close reason, and ends it. */
  refuse(socket: Socket, remoteAddress: string, error: FdsError): void {
    this.options.metrics.refused(error.code);
    const fields = { code: error.code, remote_address: remoteAddress };
    const logger = this.#loggers.of(networkOf(remoteAddress));
    logger.warn(`connection refused: ${error.message}`, fields);
    this.connect(socket, remoteAddress).end(error);
  }

  /** Describes two machines that use this id, see {@link SharedIds.problemOf}; null: there are none. */
  problemOf(clientId: string, since?: number): string | null {
    return this.#shared.problemOf(clientId, since);
  }

  sessionOf(clientId: string): Session | undefined {
    return this.#byId.get(clientId);
  }

  /** Lists clients in the order of their ids. */
  list(filter: ClientListFilter): Promise<KnownClient[]> {
    return this.#known.list(filter);
  }

  get(clientId: string): Promise<KnownClient | null> {
    return this.#known.get(clientId);
  }

  /** Registers a client. Registrations of one id run one by one, so each sees the result of the last one. */
  register(session: Session, message: Register): Promise<void> {
    return this.#registrations.run(() => this.#register(session, message), message.client_id);
  }

  async #register(session: Session, message: Register): Promise<void> {
    const about = { clientId: message.client_id, address: session.remoteAddress };
    try {
      const target = await this.#letIn(session, message);
      this.options.audit.record({ action: "client_register", outcome: "ok", ...about, target });
    } catch (error) {
      this.#noteRefusal("client_register", about, error);
      throw error;
    }
  }

  /** Checks whether a client could register. Nothing is changed, and a connected client is not disturbed. */
  async probe(session: Session, message: Introduction): Promise<ProbeAnswer> {
    const { version, audit } = this.options;
    const about = { clientId: message.client_id, address: session.remoteAddress };
    try {
      const enrols = await this.#registrar.probe(message, session.remoteAddress);
      audit.record({ action: "client_probe", outcome: "ok", ...about });
      return { version, enrols, connected: await this.isConnected(message.client_id) };
    } catch (error) {
      this.#noteRefusal("client_probe", about, error);
      throw error;
    }
  }

  /** Audits a refused registration or probe, and counts it: after too many, the address has to wait. */
  #noteRefusal(action: AuditAction, about: { clientId: string; address: string }, error: unknown) {
    this.#limits.countRefused(about.address);
    const code = error instanceof FdsError ? error.code : "internal_error";
    this.options.metrics.refused(code);
    this.options.audit.record({ action, outcome: code, ...about });
  }

  /** Registers a client. @returns name of the enrolment key that the client used; null: it used none */
  async #letIn(session: Session, message: Register): Promise<string | null> {
    const { chunkSize, version, logger } = this.options;
    const { client, previous, enrolledWith } = await this.#registrar.record(
      message,
      session.remoteAddress,
    );
    const { clientId, keyHash, connectedAt } = client;
    if (!this.#sessions.has(session)) return enrolledWith;
    await this.held.take(clientId, session);
    if (!this.#sessions.has(session)) {
      this.held.release(clientId, session);
      return enrolledWith;
    }
    // If this id has an open session, its client lost that connection, or another machine uses the id, too.
    const old = this.#byId.get(clientId);
    const [hostname, previousHostname] = [client.hostname, previous?.hostname ?? client.hostname];
    old?.replace(() => {
      const first = { address: old.remoteAddress, hostname: previousHostname };
      this.#reportSharedId(clientId, first, { address: session.remoteAddress, hostname });
    });
    this.#byId.set(clientId, session);
    const previousLink = this.#previousLinks.get(clientId);
    if (previousLink) session.startFrom(previousLink);
    const agreed = Math.min(chunkSize, message.chunk_size);
    session.registered(
      { clientId, keyHash, chunkSize: agreed, connectedAt, features: new Set(message.features) },
      { version, ...(message.new_key !== undefined && { new_key_taken: true }) },
    );
    this.options.metrics.registrations++;
    if (previous) this.options.metrics.reconnects++;
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
   * @throws FdsError `client_not_found`; `invalid_request` if the client would have too many labels
   */
  change(clientId: string, changes: OwnedChanges): Promise<KnownClient> {
    // Changes of one client run one by one, because together they could exceed the limit on its labels.
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
   * Reports whether a caller may see a client and its downloads. Other clients seem not to exist: REST
   * answers with 404, and lists, totals and events leave them out. A 403 only means that the role is too low.
   */
  async maySee({ sites }: Pick<Caller, "sites">, clientId: string): Promise<boolean> {
    if (sites?.selector == null) return areOf(sites, clientId, {});
    return areOf(sites, clientId, await this.options.repository.labelsOf(clientId));
  }

  /**
   * Revokes a client: refuses its key from now on, and ends its connection. Its downloads wait in the queue
   * until a machine takes over the id with an enrolment key that allows this.
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

  /** Reports that two machines use one id: both have answered. @returns a sentence for people */
  #reportSharedId(clientId: string, first: Machine, second: Machine): string {
    const message = this.#shared.notice(clientId, first, second);
    const { logger, audit, onChange } = this.options;
    logger.warn(message, { client_id: clientId });
    const [address, target] = [first.address, second.address];
    audit.record({ action: "two_machines", outcome: "replaced", clientId, address, target });
    this.#byId.get(clientId)?.interrupt({ code: "id_in_use", message });
    onChange(clientId);
    return message;
  }

  /** Ends every session. The clients connect again, to this server or another one. */
  endAll(): void {
    this.#sessions.endAll();
  }

  ended(session: Session): void {
    this.#sessions.delete(session);
    const clientId = session.client?.clientId;
    if (clientId === undefined) return this.#limits.countUnregistered(session.remoteAddress);
    if (session.rate !== null) this.#previousLinks.set(clientId, session.linkMeasurements);
    if (this.#byId.get(clientId) !== session) return;
    this.#byId.delete(clientId);
    this.held.release(clientId, session);
    this.options.logger.info("client disconnected", { client_id: clientId });
    this.#lastSeen.disconnected(clientId, session.lastHeardAt);
  }

  /** Ends every session, because the server stops. The clients connect again later. */
  async close(): Promise<void> {
    this.#sessions.close();
    await this.#lastSeen.settled();
  }
}

/** Makes the error for an id that no client has, or whose client the caller may not see. */
export function clientNotFound(clientId: string): FdsError {
  // An invalid id is not repeated in the message, as it may be long or contain line breaks.
  const named = ClientId.safeParse(clientId).success ? `"${clientId}"` : "of this name";
  return new FdsError("client_not_found", `No client ${named} ever registered`);
}
