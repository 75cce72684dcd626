import type { Histogram } from "./metrics.ts";

/** Interval of the measurement, in ms. */
const EVERY_MS = 100;

/**
 * Measures the event loop's lag from time to time: whatever holds up the loop holds up every transfer.
 * @param lag receives seconds
 * @returns a function that stops it
 */
export function watchEventLoop(lag: Histogram): () => void {
  let timer: Timer;
  const look = (due: number): void => {
    timer = setTimeout(() => {
      lag.observe(Math.max(0, performance.now() - due) / 1000);
      look(performance.now() + EVERY_MS);
    }, EVERY_MS);
  };
  look(performance.now() + EVERY_MS);
  return () => clearTimeout(timer);
}
