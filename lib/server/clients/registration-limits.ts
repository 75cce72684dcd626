import { FdsError } from "../../protocol/errors.ts";
import { RateLimiter } from "../../util/rate-limiter.ts";
import { networkOf } from "../access/remote-address.ts";

/**
 * Limit of refused registrations from one address. It is high because many clients behind one router may
 * enrol at once, and each is refused once before it sends its enrolment token.
 */
const REFUSED = { burst: 2_000, everyMs: 1_000 };
/** Limit of connections from one address that end without a registration. */
const UNREGISTERED = { burst: 2_000, everyMs: 1 };
/** Limit of new client ids from one address. Each new id adds a row that is never removed. */
const NEW_IDS = { burst: 20_000, everyMs: 10_000 };
/** Limit of registrations of one client. Even a client whose connection keeps breaking stays below it. */
const OF_A_CLIENT = { burst: 60, everyMs: 1_000 };
/** Limit of registrations of all clients from one address. */
const OF_AN_ADDRESS = { burst: 20_000, everyMs: 10 };

/**
 * Limits how often clients may connect and register. There are limits for each address and for each client.
 */
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

  /** Counts a refused registration from an address. */
  countRefused(address: string): void {
    this.#refused.take(networkOf(address));
  }

  /** Counts a connection from an address that ended without a registration. */
  countUnregistered(address: string): void {
    this.#unregistered.take(networkOf(address));
  }

  /**
   * Counts a registration, after {@link admit} has allowed it. So nobody can use up a client's limit by
   * sending only its id.
   * @param isNew whether the client id is new to the server
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
