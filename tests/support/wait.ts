/** Interval between two checks, in ms. */
const LOOK_EVERY = 10;

/**
 * Time limit for everything that tests wait for, in ms, even on a machine that runs several test runs at
 * once.
 */
export const DEADLINE = 120_000;

/**
 * Time limit of a test, in ms. It exceeds {@link DEADLINE}, whose error says what did not happen. The gate
 * sets it for every test. A file whose tests start programs sets it by `setDefaultTimeout`, because the
 * default of `bun test` is 5 s.
 */
export const TEST_LIMIT = 300_000;

/**
 * Calls a function again and again until it returns something.
 * @param look returns undefined, null or false as long as the condition is not met
 * @param what names the condition in the error, or returns its name at that time: `"the client to register"`
 * @param deadline time limit in ms
 * @returns the first other value that `look` returned
 * @throws Error with `what`, after the time limit
 */
export async function waitFor<T>(
  look: () => T | Promise<T>,
  what: string | (() => string),
  deadline = DEADLINE,
): Promise<NonNullable<Exclude<T, false>>> {
  for (const until = performance.now() + deadline; ;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) {
      return found as NonNullable<Exclude<T, false>>;
    }
    if (performance.now() > until) {
      const told = typeof what === "string" ? what : what();
      throw new Error(`waited ${deadline / 1000} s for ${told}`);
    }
    await Bun.sleep(LOOK_EVERY);
  }
}

/**
 * Waits for a promise, with the time limit {@link DEADLINE}.
 * @param what names the event in the error: `"the server to end the connection"`
 * @throws Error with `what`. If the test ran into its own limit instead, Bun would kill all child processes,
 *   also those that later tests share
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
