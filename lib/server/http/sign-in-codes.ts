import { randomBytes } from "node:crypto";
import type { Caller } from "../access/caller.ts";
import { hasExpired } from "../access/expiry.ts";
import { hashSecret } from "../access/secrets.ts";

/** How long a code of a sign-in link can be used, in ms. */
const CODE_LIFETIME_MS = 15 * 60_000;

/** Most valid codes of one token; another one takes the place of the oldest. */
const MAX_CODES = 100;

/** An unused code. */
interface Code {
  hash: string;
  maker: Caller;
  /** ms since 1970 */
  expiresAt: number;
}

/** The codes of sign-in links, each good once. They are in memory alone, as hashes. */
export class SignInCodes {
  /** The oldest first. */
  #codes: Code[] = [];

  /** @param now ms since 1970 */
  constructor(private readonly now: () => number) {}

  /** A code that signs in as its maker until `expiresAt`, ms since 1970. */
  make(maker: Caller): { code: string; expiresAt: number } {
    const now = this.now();
    const code = randomBytes(24).toString("base64url");
    const expiresAt = now + CODE_LIFETIME_MS;
    this.#drop((known) => hasExpired(known, now));
    const own = this.#codes.filter((known) => known.maker.name === maker.name);
    if (own.length >= MAX_CODES) this.#drop((known) => known === own[0]);
    this.#codes.push({ hash: hashSecret(code), maker, expiresAt });
    return { code, expiresAt };
  }

  /** Uses a code. @returns who made it; null: it was used, is too old, or never was one */
  use(code: string): Caller | null {
    const hash = hashSecret(code);
    const found = this.#codes.find((known) => known.hash === hash);
    this.#drop((known) => known === found);
    return found && !hasExpired(found, this.now()) ? found.maker : null;
  }

  /** Sessions are over: the codes that were made in them are good no more. */
  dropOf(sessionHashes: ReadonlySet<string | null>): void {
    this.#drop(({ maker }) => sessionHashes.has(maker.sessionHash));
  }

  #drop(isMeant: (code: Code) => boolean): void {
    this.#codes = this.#codes.filter((code) => !isMeant(code));
  }
}
