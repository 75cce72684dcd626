import type { Histogram } from "./metrics.ts";

/** Interval of the measurement, in ms. */
const EVERY_MS = 100;

/**
 * Looks now and then at how late the event loop is: what holds it up holds every transfer up.
 * @param lag gets seconds
 * @returns stops it
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
