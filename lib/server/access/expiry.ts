/** The end of something made now, ms since 1970. @param seconds its lifetime; null: no end */
export function expiryAfter(seconds: number | null, now: number): number | null {
  return seconds === null ? null : now + seconds * 1000;
}

/** @param now ms since 1970 */
export function hasExpired({ expiresAt }: { expiresAt: number | null }, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}
