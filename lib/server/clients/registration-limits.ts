import { FdsError } from "../../protocol/errors.ts";
import { RateLimiter } from "../../util/rate-limiter.ts";
import { networkOf } from "../access/remote-address.ts";

/**
 * Refused registrations from one address. Many clients behind one router may enrol at the same time, and
 * each is refused once before it sends its enrolment token.
 */
const REFUSED = { burst: 2_000, everyMs: 1_000 };
/** Connections from one address that end before a registration. */
const UNREGISTERED = { burst: 2_000, everyMs: 1 };
/** New ids from one address, as each is a row for good. */
const NEW_IDS = { burst: 20_000, everyMs: 10_000 };
/** Registrations of one client. A client whose connection keeps breaking needs no more. */
const OF_A_CLIENT = { burst: 60, everyMs: 1_000 };
/** Registrations of all clients from one address. */
const OF_AN_ADDRESS = { burst: 20_000, everyMs: 10 };

/** Limits how often clients may connect and register, by address and by client. */
export class RegistrationLimits {
  readonly #refused = new RateLimiter(REFUSED);
  readonly #unregistered = new RateLimiter(UNREGISTERED);
  readonly #newIds = new RateLimiter(NEW_IDS);
  readonly #ofClients = new RateLimiter(OF_A_CLIENT);
  readonly #ofAddresses = new RateLimiter(OF_AN_ADDRESS);

  /** How long an address has to wait before its next connection, in ms. */
  waitOf(address: string): number {
    const network = networkOf(address);
    return Math.max(this.#refused.waitOf(network), this.#unregistered.waitOf(network));
  }

  /** Counts a refused registration. */
  refused(address: string): void {
    this.#refused.take(networkOf(address));
  }

  /** Counts a connection that ended before a registration. */
  leftUnregistered(address: string): void {
    this.#unregistered.take(networkOf(address));
  }

  /**
   * Counts the registration of a client that has proved its identity. Merely stating another client's id
   * does not use up that client's limit.
   * @param isNew whether the id is new
   * @throws FdsError `rate_limited`
   */
  count(clientId: string, address: string, isNew: boolean): void {
    const network = networkOf(address);
    if (this.#ofClients.take(clientId) > 0) {
      throw new FdsError("rate_limited", "this client registers too often");
    }
    if (this.#ofAddresses.take(network) > 0) {
      throw new FdsError("rate_limited", "clients of this address register too often");
    }
    if (isNew && this.#newIds.take(network) > 0) {
      throw new FdsError("rate_limited", "too many new clients came from this address");
    }
  }
}
