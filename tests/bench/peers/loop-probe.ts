import { appendFileSync } from "node:fs";
import { threadCpuUsage } from "node:process";
import { isMainThread } from "node:worker_threads";
import { HOLDS } from "../core/loop-probe.ts";

/*
 * Loaded into a server before its own code: writes down each time that its event loop was held up. A line
 * has the time (ms since 1970), and the processor time that the loop's thread used meanwhile (ms). How
 * late a timer comes would tell of other programs too, where the machine is busy.
 */

/** Between two looks, in ms. */
const EVERY = 1;

/** What is shorter is not written down, in ms. */
const SHORTEST = 2;

if (isMainThread) {
  let before = usedTime();
  setInterval(() => {
    const held = usedTime() - before;
    if (held >= SHORTEST) appendFileSync(HOLDS, `${Date.now()} ${held}\n`);
    before = usedTime();
  }, EVERY).unref();
}

/** The processor time that this thread used until now, in ms. */
function usedTime(): number {
  const { user, system } = threadCpuUsage();
  return (user + system) / 1000;
}
