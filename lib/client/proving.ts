import type { GoOn } from "./prefix-hash.ts";

/** How often the server is told, in ms, that a long file is being read again. */
const PROVING_EVERY_MS = 5_000;

/**
 * Makes a {@link GoOn} that now and then tells the server how far a file was read again, or how far a walk
 * came.
 * @param tell sends an offset to the server
 * @param isWanted false ends the reading
 */
export function provingNowAndThen(tell: (offset: number) => void, isWanted: () => boolean): GoOn {
  let toldAt = performance.now();
  return (offset) => {
    if (performance.now() - toldAt >= PROVING_EVERY_MS) {
      toldAt = performance.now();
      tell(offset);
    }
    return isWanted();
  };
}
