import type { Role } from "../../api/roles.ts";
import { parseSelector } from "../../api/selector.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import { steadyNow } from "../../util/steady-clock.ts";
import type { Caller } from "./caller.ts";
import { expiryAfter, hasExpired } from "./expiry.ts";
import type { OpenCalls } from "./open-calls.ts";
import type { Sites } from "./sites.ts";
import type { AccessRows, ApiToken, NamesPage } from "./rows.ts";
import { hashSecret, newSecret } from "./secrets.ts";

/** Shortest time between two updates of the time at which a token was last used, in ms. */
const RECORD_USE_EVERY_MS = 60_000;

export interface TokenOrder {
  name: string;
  role: Role;
  sites: string[] | null;
  labels: string | null;
  expires_in_seconds: number | null;
}

/**
 * Thrown when no stored token has the secret that a caller sent. This includes the secret of a token that
 * ended and whose name was given to a newer token, as only the newer one is stored.
 */
export class UnknownToken extends FdsError {
  constructor() {
    super("unauthorized", "The API token is not the right one");
  }
}

/** The API tokens that admins make. The API_TOKEN of the settings is not among them. */
export class Tokens {
  /** @param now returns the time, in ms since 1970 */
  constructor(
    private readonly rows: AccessRows,
    private readonly openCalls: OpenCalls,
    private readonly logger: Logger,
    private readonly now: () => number = steadyNow,
  ) {}

  /**
   * Makes a token.
   * @returns the token, and its secret, of which the server stores only a hash
   * @throws FdsError `invalid_request` when a valid token has this name
   */
  async create(order: TokenOrder): Promise<{ secret: string; token: ApiToken }> {
    const secret = newSecret("fds_token");
    const createdAt = this.now();
    const token: ApiToken = {
      name: order.name,
      tokenHash: hashSecret(secret),
      role: order.role,
      sites: order.sites,
      labels: order.labels,
      createdAt,
      expiresAt: expiryAfter(order.expires_in_seconds, createdAt),
      revokedAt: null,
      lastUsedAt: null,
    };
    if (await this.rows.insertToken(token)) return { secret, token };
    throw new FdsError(
      "invalid_request",
      `Choose another name, or revoke the token "${order.name}" first`,
    );
  }

  /** Lists tokens in the order of their names. */
  list(page: NamesPage): Promise<ApiToken[]> {
    return this.rows.listTokens(page);
  }

  /** Revokes a token. Its sessions and open calls end at once. @throws FdsError `not_found` */
  async revoke(name: string): Promise<ApiToken> {
    const token = await this.rows.revokeToken(name, this.now());
    if (!token) throw new FdsError("not_found", "There is no token of this name");
    this.openCalls.end((caller) => caller.name === name);
    return token;
  }

  /**
   * Returns the caller who sent a secret.
   * @throws FdsError `unauthorized`; an {@link UnknownToken} if no token has this secret
   */
  callerOf(secret: string): Promise<Caller> {
    return this.callerWith(hashSecret(secret));
  }

  /** Returns the caller whose token has this hash. @throws FdsError `unauthorized`, as {@link callerOf} */
  async callerWith(tokenHash: string): Promise<Caller> {
    const token = await this.rows.tokenByHash(tokenHash);
    if (!token) throw new UnknownToken();
    const now = this.now();
    if (token.revokedAt !== null) throw new FdsError("unauthorized", "The API token was revoked");
    if (hasExpired(token, now)) throw new FdsError("unauthorized", "The API token has expired");
    this.#recordUse(token, now);
    const { name, role, expiresAt } = token;
    return { name, role, sites: sitesOf(token), tokenHash, expiresAt, sessionHash: null };
  }

  /**
   * Records the use of a token. An error is only logged, so that callers still get in when the disk is full.
   */
  #recordUse({ name, tokenHash, lastUsedAt }: ApiToken, now: number): void {
    if (lastUsedAt !== null && now - lastUsedAt < RECORD_USE_EVERY_MS) return;
    this.rows
      .recordTokenUse(tokenHash, now)
      .catch((error: unknown) =>
        this.logger.error("last_used_at was not recorded", { token: name }, error),
      );
  }
}

/** Returns the clients that a token may see; null: all clients. */
export function sitesOf({ sites, labels }: ApiToken): Sites | null {
  if (sites === null && labels === null) return null;
  return { ids: new Set(sites), selector: labels === null ? null : parseSelector(labels) };
}
