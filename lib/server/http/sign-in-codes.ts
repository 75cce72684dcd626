import { randomBytes } from "node:crypto";
import type { Caller } from "../access/caller.ts";
import { hasExpired } from "../access/expiry.ts";
import type { AccessRows, SignInCode } from "../access/rows.ts";
import { hashSecret } from "../access/secrets.ts";

/** How long the code of a sign-in link is valid, in ms. */
const CODE_LIFETIME_MS = 15 * 60_000;

/** Limit on the valid codes of one token. A new code replaces the oldest. */
const MAX_CODES = 100;

/** The one-time codes of sign-in links. Only the hash of each code is stored. */
export class SignInCodes {
  /** Creates the store of codes. @param now returns ms since 1970 */
  constructor(
    private readonly rows: Pick<AccessRows, "insertCode" | "useCode">,
    private readonly now: () => number,
  ) {}

  /**
   * Makes a code. Until `expiresAt`, in ms since 1970, it lets somebody sign in once, with the rights of its
   * maker.
   */
  async make({
    name,
    tokenHash,
    sessionHash,
  }: Caller): Promise<{ code: string; expiresAt: number }> {
    const code = randomBytes(24).toString("base64url");
    const now = this.now();
    const expiresAt = now + CODE_LIFETIME_MS;
    const maker = { maker: name ?? "", tokenHash, sessionHash };
    await this.rows.insertCode({ codeHash: hashSecret(code), ...maker, expiresAt }, now, MAX_CODES);
    return { code, expiresAt };
  }

  /**
   * Uses a code, which can be used only once.
   * @returns the code's row; null: the code was used, has expired, or never existed
   */
  async use(code: string): Promise<SignInCode | null> {
    const found = await this.rows.useCode(hashSecret(code));
    return found && !hasExpired(found, this.now()) ? found : null;
  }
}
