import { dlopen, FFIType, ptr } from "bun:ffi";
import { appendFileSync } from "node:fs";
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

/*
 * `process.threadCpuUsage` is of the kernel's last tick, which is up to 4 ms ago: this clock is exact
 * (clock_gettime(2)).
 */
const { symbols: libc } = dlopen("libc.so.6", {
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
});
const CLOCK_THREAD_CPUTIME_ID = 3;
/** Seconds and nanoseconds. */
const time = new BigInt64Array(2);

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
  libc.clock_gettime(CLOCK_THREAD_CPUTIME_ID, ptr(time));
  return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
}
