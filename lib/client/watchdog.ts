/**
 * How long, in ms, the client may have neither a connection nor a planned try. After a connection has ended,
 * its files are closed before the next try is planned. Closing a file on a network share that hangs can take
 * long.
 */
const MAX_STUCK_MS = 60_000;
const CHECK_INTERVAL_MS = 5_000;

/**
 * Waits for the end of a long task, and throws once the task is stuck. The process can then exit, and the
 * service manager starts it again.
 * @param isWell reports whether the task is doing or has planned something
 * @throws Error if `isWell` returned false for a minute; any error of `run`
 */
export async function watch(run: Promise<void>, isWell: () => boolean): Promise<void> {
  const failed = Promise.withResolvers<never>();
  let wellAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (isWell()) wellAt = now;
    const stuckMs = now - wellAt;
    if (stuckMs > MAX_STUCK_MS) {
      failed.reject(
        new Error(
          `for ${MAX_STUCK_MS / 1000} s there was neither a connection nor a next try: start the client anew`,
        ),
      );
    }
  }, CHECK_INTERVAL_MS);
  try {
    await Promise.race([run, failed.promise]);
  } finally {
    clearInterval(timer);
  }
}
