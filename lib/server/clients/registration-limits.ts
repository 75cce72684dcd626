import { FdsError } from "../../protocol/errors.ts";
import { RateLimiter } from "../../util/rate-limiter.ts";
import { networkOf } from "../access/remote-address.ts";

/**
 * Refused registrations of one address. Many clients behind one router may enrol at once, and each is
 * refused once before it shows its enrolment token.
 */
const REFUSED = { burst: 2_000, everyMs: 1_000 };
/** Connections of one address that ended before they had registered. */
const UNREGISTERED = { burst: 2_000, everyMs: 1 };
/** Ids of one address that were never there before: each is a row for good. */
const NEW_IDS = { burst: 20_000, everyMs: 10_000 };
/** Registrations of one client: one whose line breaks all the time needs no more. */
const OF_A_CLIENT = { burst: 60, everyMs: 1_000 };
/** Registrations of all clients of one address. */
const OF_AN_ADDRESS = { burst: 20_000, everyMs: 10 };

/** Limits how often clients may connect and register, for each address and for each client. */
export class RegistrationLimits {
  readonly #refused = new RateLimiter(REFUSED);
  readonly #unregistered = new RateLimiter(UNREGISTERED);
  readonly #newIds = new RateLimiter(NEW_IDS);
  readonly #ofClients = new RateLimiter(OF_A_CLIENT);
  readonly #ofAddresses = new RateLimiter(OF_AN_ADDRESS);

  /** How long an address has to wait before it may connect again, in ms. */
  waitOf(address: string): number {
    const network = networkOf(address);
    return Math.max(this.#refused.waitOf(network), this.#unregistered.waitOf(network));
  }

  /** A registration was refused. */
  refused(address: string): void {
    this.#refused.take(networkOf(address));
  }

  /** A connection ended that had not registered. */
  leftUnregistered(address: string): void {
    this.#unregistered.take(networkOf(address));
  }

  /**
   * Counts a registration of a client that has proved itself: who only says its id cannot use up what
   * is its own.
   * @param isNew whether the id was never there before
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
