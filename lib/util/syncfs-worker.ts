import { dlopen, FFIType } from "bun:ffi";
import { parentPort } from "node:worker_threads";

/*
 * Calls syncfs(2) for file-system-sync.ts, in a thread of its own: the call may take seconds, and Bun has
 * no function for it.
 */

/** Names under which glibc and musl are found. */
const LIBRARIES = ["libc.so.6", "libc.so"];

const syncfs = LIBRARIES.reduce<((fd: number) => number) | null>((found, library) => {
  if (found) return found;
  try {
    const { symbols } = dlopen(library, {
      syncfs: { args: [FFIType.i32], returns: FFIType.i32 },
    });
    return symbols.syncfs;
  } catch {
    // Another library or system: the answer says that the call is missing.
    return null;
  }
}, null);

parentPort?.on("message", (fd: number) => {
  const answer = syncfs === null ? "unsupported" : syncfs(fd) === 0 ? "flushed" : "failed";
  parentPort?.postMessage(answer);
});
