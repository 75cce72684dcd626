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
  /** Null: clients need none. */
  enrolToken: string | null;
  enrolmentKeys: Pick<EnrolmentKeys, "find" | "use">;
  limits: RegistrationLimits;
  ownedFields: Pick<OwnedFields, "enrol">;
  isConnected: (clientId: string) => Promise<boolean>;
}

/** A client that may register and is recorded. */
export interface Registration {
  client: RegisteredClient;
  /** Its row before the registration; null: there was none. */
  known: Client | null;
  /** Name of the enrolment key that was used, if any. */
  enrolledWith: string | null;
}

/** Records clients that may register. */
export class Registrar {
  constructor(private readonly options: RegistrarOptions) {}

  /**
   * Records a client.
   * @param address where it connects from
   * @throws FdsError when it may not register, see {@link admit}; `rate_limited`
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
      // Another registration changed the row, perhaps this client's own: decide again.
    }
  }

  /**
   * Checks whether a client may register, and records nothing.
   * @param address where it connects from
   * @returns whether it would enrol
   * @throws FdsError see {@link record}
   */
  async probe(message: Introduction, address: string): Promise<boolean> {
    const { known, admission } = await this.#admit(message);
    // Not counted as a new id, as none is made.
    this.options.limits.count(message.client_id, address, false);
    const { enrolledAt } = admission;
    return enrolledAt !== null && enrolledAt !== known?.enrolledAt;
  }

  /** @throws FdsError see {@link admit} */
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

/** The time zone that a client reports, if this runtime knows it. */
function timeZoneOf({ time_zone: name }: Register): string | null {
  return name !== undefined && isTimeZone(name) ? name : null;
}
