import { dlopen, FFIType, ptr } from "bun:ffi";
import { appendFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { HOLDS } from "../core/loop-probe.ts";

/*
 * This module is loaded into a server before the server's own code. It records each time that the event loop
 * was blocked, as one line with the time (ms since 1970) and the processor time that the loop's thread used
 * (ms). Processor time is used because the delay of a timer would also depend on other programs.
 */

/** Time between two readings of the thread's processor time, in ms. */
const EVERY = 1;

/** Shortest blocking of the event loop that is recorded, in ms. */
const SHORTEST = 2;

/*
 * Clock of the thread's processor time, by clock_gettime(2). `process.threadCpuUsage` is not exact enough:
 * its value is from the kernel's last tick, up to 4 ms ago.
 */
const { symbols: libc } = dlopen("libc.so.6", {
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
});
const CLOCK_THREAD_CPUTIME_ID = 3;
/** Buffer for the result of clock_gettime: seconds and nanoseconds. */
const time = new BigInt64Array(2);

if (isMainThread) {
  let before = usedTime();
  setInterval(() => {
    const held = usedTime() - before;
    if (held >= SHORTEST) appendFileSync(HOLDS, `${Date.now()} ${held}\n`);
    before = usedTime();
  }, EVERY).unref();
}

/** Returns the processor time that this thread has used so far, in ms. */
function usedTime(): number {
  libc.clock_gettime(CLOCK_THREAD_CPUTIME_ID, ptr(time));
  return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
}
