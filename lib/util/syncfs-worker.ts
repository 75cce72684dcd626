import { dlopen, FFIType } from "bun:ffi";
import { parentPort } from "node:worker_threads";

/*
 * A worker thread that calls syncfs(2) for file-system-sync.ts. The call can block for seconds, and Bun has
 * no asynchronous function for it.
 */

/** File names of the C library: glibc's, then musl's. */
const LIBRARIES = ["libc.so.6", "libc.so"];

const syncfs = LIBRARIES.reduce<((fd: number) => number) | null>((found, library) => {
  if (found) return found;
  try {
    const { symbols } = dlopen(library, {
      syncfs: { args: [FFIType.i32], returns: FFIType.i32 },
    });
    return symbols.syncfs;
  } catch {
    // This library is missing or lacks syncfs. If both libraries fail, the worker answers "unsupported".
    return null;
  }
}, null);

parentPort?.on("message", (fd: number) => {
  const answer = syncfs === null ? "unsupported" : syncfs(fd) === 0 ? "flushed" : "failed";
  parentPort?.postMessage(answer);
});
