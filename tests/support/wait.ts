/** Between two looks, in ms. */
const LOOK_EVERY = 10;

/**
 * Nothing that tests wait for takes longer than this, in ms, on a machine on which the gate and more
 * runs either.
 */
export const DEADLINE = 120_000;

/**
 * How long a test may take, in ms: that of a loaded machine, and longer than what it waits for, which
 * says what did not come. The gate gives it to every test; a file whose tests start programs asks
 * for it (`setDefaultTimeout`), or `bun test` alone gives them 5 s.
 */
export const TEST_LIMIT = 300_000;

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

/**
 * Waits for a promise that nothing else ends.
 * @param what for the error: `"the server to end the connection"`
 * @throws Error that says what did not come: a test that ran into its limit instead would have its
 *   programs killed by Bun, those that the tests behind it share too
 */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`waited ${DEADLINE / 1000} s for ${what}`)),
    DEADLINE,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
