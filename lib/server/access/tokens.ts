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

/** That a token was used is recorded this often at most, in ms. */
const USED_EVERY_MS = 60_000;

export interface TokenOrder {
  name: string;
  role: Role;
  sites: string[] | null;
  labels: string | null;
  expires_in_seconds: number | null;
}

/** What was shown is the secret of no token that was ever made, or of one whose name has another. */
export class UnknownToken extends FdsError {
  constructor() {
    super("unauthorized", "The API token is not the right one");
  }
}

/** The API tokens that admins make beside the API_TOKEN of the settings. */
export class Tokens {
  /** @param now ms since 1970 */
  constructor(
    private readonly rows: AccessRows,
    private readonly openCalls: OpenCalls,
    private readonly logger: Logger,
    private readonly now: () => number = steadyNow,
  ) {}

  /**
   * Makes a token.
   * @returns the token with its secret, which is kept nowhere
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

  /** By name. */
  list(page: NamesPage): Promise<ApiToken[]> {
    return this.rows.listTokens(page);
  }

  /**
   * Revokes a token. Sessions and event streams that it opened end at once.
   * @throws FdsError `not_found`
   */
  async revoke(name: string): Promise<ApiToken> {
    const token = await this.rows.revokeToken(name, this.now());
    if (!token) throw new FdsError("not_found", "There is no token of this name");
    this.openCalls.end((caller) => caller.name === name);
    return token;
  }

  /**
   * Who shows a secret.
   * @throws FdsError `unauthorized`, an {@link UnknownToken} where it was never a token's
   */
  callerOf(secret: string): Promise<Caller> {
    return this.callerWith(hashSecret(secret));
  }

  /** As callerOf. @param tokenHash of the secret */
  async callerWith(tokenHash: string): Promise<Caller> {
    const token = await this.rows.tokenByHash(tokenHash);
    if (!token) throw new UnknownToken();
    const now = this.now();
    if (token.revokedAt !== null) throw new FdsError("unauthorized", "The API token was revoked");
    if (hasExpired(token, now)) throw new FdsError("unauthorized", "The API token has expired");
    this.#used(token, now);
    const { name, role, expiresAt } = token;
    return { name, role, sites: sitesOf(token), tokenHash, expiresAt, sessionHash: null };
  }

  /** Nobody is kept out because this cannot be written: with a full disk people want to see. */
  #used({ name, tokenHash, lastUsedAt }: ApiToken, now: number): void {
    if (lastUsedAt !== null && now - lastUsedAt < USED_EVERY_MS) return;
    this.rows
      .tokenUsed(tokenHash, now)
      .catch((error: unknown) =>
        this.logger.error("last_used_at was not recorded", { token: name }, error),
      );
  }
}

/** What a token sees; null: all. */
export function sitesOf({ sites, labels }: ApiToken): Sites | null {
  if (sites === null && labels === null) return null;
  return { ids: new Set(sites), selector: labels === null ? null : parseSelector(labels) };
}
