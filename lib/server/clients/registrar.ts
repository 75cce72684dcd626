import type { Introduction, Register } from "../../protocol/messages.ts";
import { steadyNow } from "../../util/steady-clock.ts";
import { isTimeZone } from "../../util/time-zone.ts";
import type { Client, RegisteredClient, Repository } from "../database/repository.ts";
import { type Admission, admit } from "./admission.ts";
import type { EnrolmentKeys } from "./enrolment.ts";
import type { OwnedFields } from "./owned-fields.ts";
import type { RegistrationLimits } from "./registration-limits.ts";

export interface RegistrarOptions {
  repository: Pick<Repository, "getClient" | "registerClient">;
  /** Null: none is asked for. */
  enrolToken: string | null;
  enrolmentKeys: Pick<EnrolmentKeys, "find" | "use">;
  limits: RegistrationLimits;
  ownedFields: Pick<OwnedFields, "enrol">;
  isConnected: (clientId: string) => Promise<boolean>;
}

/** A client that may register, and is written down. */
export interface Registration {
  client: RegisteredClient;
  /** What was known of it before; null: nothing. */
  known: Client | null;
  /** The name of the enrolment key that it took, if any. */
  enrolledWith: string | null;
}

/** Writes down the clients that may register. */
export class Registrar {
  constructor(private readonly options: RegistrarOptions) {}

  /**
   * Writes down a client.
   * @param address where it is
   * @throws FdsError when it may not register, as of {@link admit}; `rate_limited`
   */
  async record(message: Register, address: string): Promise<Registration> {
    const { repository, enrolmentKeys, limits, ownedFields } = this.options;
    const clientId = message.client_id;
    let enrolledWith: string | null = null;
    let isCounted = false;
    for (;;) {
      const { known, admission } = await this.#admit(message);
      if (!isCounted) limits.count(clientId, address, known === null);
      isCounted = true;
      if (admission.uses && enrolledWith === null) {
        await enrolmentKeys.use(admission.uses);
        enrolledWith = admission.uses.name;
        await ownedFields.enrol(clientId, admission.uses);
      }
      const client = clientOf(message, admission, address, Date.now());
      if (await repository.registerClient(client, known)) return { client, known, enrolledWith };
      // Another registration came first, perhaps this client's own: look again what may be now.
    }
  }

  /**
   * Looks whether a client may register, and writes nothing down.
   * @param address where it is
   * @returns whether it would enrol
   * @throws FdsError as {@link record}
   */
  async probe(message: Introduction, address: string): Promise<boolean> {
    const { known, admission } = await this.#admit(message);
    // Counted as no new id: none is made.
    this.options.limits.count(message.client_id, address, false);
    const { enrolledAt } = admission;
    return enrolledAt !== null && enrolledAt !== known?.enrolledAt;
  }

  /** @throws FdsError as {@link admit} */
  async #admit(message: Introduction): Promise<{ known: Client | null; admission: Admission }> {
    const { repository, enrolToken, enrolmentKeys, isConnected } = this.options;
    const clientId = message.client_id;
    const known = await repository.getClient(clientId);
    const enrolment = { token: enrolToken, key: await enrolmentKeys.find(message.enroll_token) };
    const connected = await isConnected(clientId);
    const admission = admit(message, known, connected, enrolment, steadyNow());
    return { known, admission };
  }
}

/** @param now ms since 1970 */
function clientOf(
  message: Register,
  { keyHash, enrolledAt }: Admission,
  remoteAddress: string,
  now: number,
): RegisteredClient {
  return {
    clientId: message.client_id,
    keyHash,
    enrolledAt,
    revokedAt: null,
    features: message.features ?? [],
    hostname: message.hostname,
    platform: message.platform,
    version: message.version,
    reportedTimeZone: timeZoneOf(message),
    remoteAddress,
    connectedAt: now,
    lastSeenAt: now,
  };
}

/** What a client says of its time zone, where this runtime knows it. */
function timeZoneOf({ time_zone: name }: Register): string | null {
  return name !== undefined && isTimeZone(name) ? name : null;
}
