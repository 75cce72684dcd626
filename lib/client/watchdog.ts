/** How long nothing may be planned, in ms: files on a hanging share take their time to close. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 5_000;

/**
 * Runs what should go on for ever, and gives up once it stands still: the service manager can then start
 * the program anew, which is better than a process that does nothing.
 * @param isWell whether it is doing something, or has planned something
 * @throws Error when it was not well for a minute; whatever `run` throws
 */
export async function watch(run: Promise<void>, isWell: () => boolean): Promise<void> {
  const failed = Promise.withResolvers<never>();
  let wellAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (isWell()) wellAt = now;
    const stoodStill = now - wellAt;
    if (stoodStill > PATIENCE_MS) {
      failed.reject(
        new Error(
          `for ${PATIENCE_MS / 1000} s there was neither a connection nor a next try: start the client anew`,
        ),
      );
    }
  }, LOOK_EVERY_MS);
  try {
    await Promise.race([run, failed.promise]);
  } finally {
    clearInterval(timer);
  }
}
