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
  /** The ENROLL_TOKEN of the settings, with which clients enrol; null: clients need not enrol. */
  enrolToken: string | null;
  enrolmentKeys: Pick<EnrolmentKeys, "find" | "use">;
  limits: RegistrationLimits;
  ownedFields: Pick<OwnedFields, "enrol">;
  isConnected: (clientId: string) => Promise<boolean>;
}

/** A client that was allowed to register, and is recorded. */
export interface Registration {
  client: RegisteredClient;
  /** The client's row before the registration; null: there was none. */
  previous: Client | null;
  /** Name of the enrolment key that the client used; null: it used none. */
  enrolledWith: string | null;
}

/** Decides which clients may register, and records them. */
export class Registrar {
  constructor(private readonly options: RegistrarOptions) {}

  /**
   * Records a client that registers.
   * @param address the client's address
   * @throws FdsError if the client may not register, see {@link admit}; `rate_limited` if it or its address
   *   registers too often
   */
  async record(message: Register, address: string): Promise<Registration> {
    const { repository, enrolmentKeys, limits, ownedFields } = this.options;
    const clientId = message.client_id;
    let enrolledWith: string | null = null;
    let isCounted = false;
    for (;;) {
      const { previous, admission } = await this.#admit(message);
      if (!isCounted) limits.count(clientId, address, previous === null);
      isCounted = true;
      if (admission.usedKey && enrolledWith === null) {
        await enrolmentKeys.use(admission.usedKey);
        enrolledWith = admission.usedKey.name;
        await ownedFields.enrol(clientId, admission.usedKey);
      }
      const client = clientOf(message, admission, address, Date.now());
      if (await repository.registerClient(client, previous))
        return { client, previous, enrolledWith };
      // The client's row was changed meanwhile, for example by another registration with this id, so the
      // decision is made again.
    }
  }

  /**
   * Checks whether a client could register, and records nothing.
   * @param address the client's address
   * @returns whether the registration would enrol the client
   * @throws the same errors as {@link record}
   */
  async probe(message: Introduction, address: string): Promise<boolean> {
    const { previous, admission } = await this.#admit(message);
    // A probe records no client, so its id is never counted as a new one.
    this.options.limits.count(message.client_id, address, false);
    const { enrolledAt } = admission;
    return enrolledAt !== null && enrolledAt !== previous?.enrolledAt;
  }

  async #admit(message: Introduction): Promise<{ previous: Client | null; admission: Admission }> {
    const { repository, enrolToken, enrolmentKeys, isConnected } = this.options;
    const clientId = message.client_id;
    const previous = await repository.getClient(clientId);
    const enrolment = { token: enrolToken, key: await enrolmentKeys.find(message.enroll_token) };
    const connected = await isConnected(clientId);
    const admission = admit(message, previous, connected, enrolment, steadyNow());
    return { previous, admission };
  }
}

/** Makes the row of a client that registers. @param now ms since 1970 */
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

/** Returns the time zone that a client reports; null: none, or one that this runtime does not know. */
function timeZoneOf({ time_zone: name }: Register): string | null {
  return name !== undefined && isTimeZone(name) ? name : null;
}
