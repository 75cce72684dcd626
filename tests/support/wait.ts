/** Between two looks, in ms. */
const LOOK_EVERY = 10;

/** Nothing that tests wait for takes longer than this on a machine that works, in ms. */
const DEADLINE = 30_000;

/**
 * Looks again and again until there is something.
 * @param look gives undefined, null or false while it is not so yet
 * @param what for the error: `"the client to register"`
 * @param deadline ms
 * @returns what was found
 * @throws Error that says what did not come
 */
export async function waitFor<T>(
  look: () => T | Promise<T>,
  what: string,
  deadline = DEADLINE,
): Promise<NonNullable<Exclude<T, false>>> {
  for (const until = performance.now() + deadline; ;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) {
      return found as NonNullable<Exclude<T, false>>;
    }
    if (performance.now() > until) throw new Error(`waited ${deadline / 1000} s for ${what}`);
    await Bun.sleep(LOOK_EVERY);
  }
}
