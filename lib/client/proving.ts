import type { GoOn } from "./prefix-hash.ts";

/** While a long file is read again, the server hears of it this often, in ms. */
const PROVING_EVERY_MS = 5_000;

/**
 * Tells the server now and then how far a file was read again, or a walk came.
 * @param tell says an offset to the server
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
