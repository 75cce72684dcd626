import type { Labels } from "../../api/labels.ts";
import { FdsError } from "../../protocol/errors.ts";
import { steadyNow } from "../../util/steady-clock.ts";
import { matchesWildcard } from "../../util/wildcard.ts";
import { expiryAfter, hasExpired } from "../access/expiry.ts";
import type { AccessRows, EnrolmentKey, NamesPage } from "../access/rows.ts";
import { hashSecret, newSecret } from "../access/secrets.ts";

export interface EnrolmentOrder {
  name: string;
  ids: string;
  labels: Labels;
  replace: boolean;
  max_uses: number | null;
  expires_in_seconds: number | null;
}

/** The enrolment keys that admins make. The ENROLL_TOKEN of the settings is not among them. */
export class EnrolmentKeys {
  /** @param now returns the time, in ms since 1970 */
  constructor(
    private readonly rows: AccessRows,
    private readonly now: () => number = steadyNow,
  ) {}

  /**
   * Makes an enrolment key.
   * @returns the key's row, and its secret, which is stored nowhere
   * @throws FdsError `invalid_request` when a valid key has this name
   */
  async create(order: EnrolmentOrder): Promise<{ secret: string; key: EnrolmentKey }> {
    const secret = newSecret("fds_enroll");
    const createdAt = this.now();
    const key: EnrolmentKey = {
      name: order.name,
      keyHash: hashSecret(secret),
      ids: order.ids,
      labels: order.labels,
      replaces: order.replace,
      maxUses: order.max_uses,
      uses: 0,
      createdAt,
      expiresAt: expiryAfter(order.expires_in_seconds, createdAt),
      revokedAt: null,
      lastUsedAt: null,
    };
    if (await this.rows.insertEnrolmentKey(key)) return { secret, key };
    throw new FdsError(
      "invalid_request",
      `Choose another name, or revoke the enrolment key "${order.name}" first`,
    );
  }

  /** Lists enrolment keys in the order of their names. */
  list(page: NamesPage): Promise<EnrolmentKey[]> {
    return this.rows.listEnrolmentKeys(page);
  }

  /** Revokes an enrolment key. @throws FdsError `not_found` */
  async revoke(name: string): Promise<EnrolmentKey> {
    const key = await this.rows.revokeEnrolmentKey(name, this.now());
    if (!key) throw new FdsError("not_found", "There is no enrolment key of this name");
    return key;
  }

  /**
   * Finds the enrolment key that has this secret, even if the key is no longer valid; null: there is none.
   */
  async find(secret: string | undefined): Promise<EnrolmentKey | null> {
    return secret === undefined ? null : this.rows.enrolmentKeyByHash(hashSecret(secret));
  }

  /**
   * Counts a use of an enrolment key. If two clients want the last use, one of them gets it. A crash before
   * the client is recorded may waste a use, but never allows one more.
   * @throws FdsError `enrolment_required` when the key is not valid any more or has no use left
   */
  async use({ keyHash }: EnrolmentKey): Promise<void> {
    if (await this.rows.useEnrolmentKey(keyHash, this.now())) return;
    throw new FdsError("enrolment_required", "the enrolment key is good no more");
  }
}

/**
 * Returns why a client cannot enrol with an enrolment key; null: the client can, unless others use up the key
 * first.
 */
export function flawOf(key: EnrolmentKey, clientId: string, now: number): string | null {
  if (key.revokedAt !== null) return "the enrolment key was revoked";
  if (hasExpired(key, now)) return "the enrolment key has expired";
  if (key.maxUses !== null && key.uses >= key.maxUses) return "the enrolment key is used up";
  return matchesWildcard(key.ids, clientId) ? null : `the enrolment key is not for "${clientId}"`;
}
