import type { OnProgress } from "./prefix-hash.ts";

/**
 * How often, in ms, the server is told how far the client is with hashing a file or walking through folders.
 */
const PROVING_EVERY_MS = 5_000;

/**
 * Returns an {@link OnProgress} callback that regularly reports progress to the server while a file is hashed
 * or folders are walked through.
 * @param tell sends the number of bytes hashed or names examined to the server
 * @param isWanted returns false to end the hashing or the walk
 */
export function progressReporter(
  tell: (done: number) => void,
  isWanted: () => boolean,
): OnProgress {
  let toldAt = performance.now();
  return (done) => {
    if (performance.now() - toldAt >= PROVING_EVERY_MS) {
      toldAt = performance.now();
      tell(done);
    }
    return isWanted();
  };
}
