import type { OnProgress } from "./prefix-hash.ts";

/**
 * How often, in ms, the server is told how far the client is with hashing a file or walking through folders.
 */
const PROVING_EVERY_MS = 5_000;

/**
 * Returns an {@link OnProgress} callback that regularly reports progress to the server while a file is hashed
 * or folders are walked through.
 * @param report sends the number of bytes hashed or names examined to the server
 * @param isWanted returns false to end the hashing or the walk
 */
export function progressReporter(
  report: (done: number) => void,
  isWanted: () => boolean,
): OnProgress {
  let reportedAt = performance.now();
  return (done) => {
    if (performance.now() - reportedAt >= PROVING_EVERY_MS) {
      reportedAt = performance.now();
      report(done);
    }
    return isWanted();
  };
}
