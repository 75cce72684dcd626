import type { Histogram } from "./metrics.ts";

/** Time between two samples of the event loop's lag, in ms. */
const EVERY_MS = 100;

/**
 * Measures by how much the event loop is late. Anything that blocks the loop delays every transfer.
 * @param lag receives the measurements, in seconds
 * @returns a function that stops the measuring
 */
export function watchEventLoop(lag: Histogram): () => void {
  let timer: Timer;
  const measure = (due: number): void => {
    timer = setTimeout(() => {
      lag.observe(Math.max(0, performance.now() - due) / 1000);
      measure(performance.now() + EVERY_MS);
    }, EVERY_MS);
  };
  measure(performance.now() + EVERY_MS);
  return () => clearTimeout(timer);
}
