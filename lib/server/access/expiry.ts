/**
 * Returns the time at which a token, key or session made at `now` expires, in ms since 1970.
 * @param seconds lifetime; null: it never expires
 */
export function expiryAfter(seconds: number | null, now: number): number | null {
  return seconds === null ? null : now + seconds * 1000;
}

/** Reports whether a token, key or session has expired. @param now ms since 1970 */
export function hasExpired({ expiresAt }: { expiresAt: number | null }, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}
