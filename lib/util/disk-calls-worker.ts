import { dlopen, FFIType } from "bun:ffi";
import { parentPort } from "node:worker_threads";

/*
 * Makes calls of the system for disk-calls.ts, in a thread of its own: they may take seconds, and Bun has no
 * functions for them.
 */

/** Names under which glibc and musl are found. */
const LIBRARIES = ["libc.so.6", "libc.so"];

/** Flag of sync_file_range(2): begins to write, and waits for nothing. */
const SYNC_FILE_RANGE_WRITE = 2;

const { i32, i64, u32 } = FFIType;

function openLibrary(name: string) {
  return dlopen(name, {
    syncfs: { args: [i32], returns: i32 },
    sync_file_range: { args: [i32, i64, i64, u32], returns: i32 },
  }).symbols;
}

const libc = LIBRARIES.reduce<ReturnType<typeof openLibrary> | null>((found, library) => {
  if (found) return found;
  try {
    return openLibrary(library);
  } catch {
    // Another library or system: the answer says that the calls are missing.
    return null;
  }
}, null);

function make({ call, fd }: { call: "syncfs" | "write"; fd: number }): number | undefined {
  if (call === "syncfs") return libc?.syncfs(fd);
  return libc?.sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

parentPort?.on("message", (asked: Parameters<typeof make>[0]) => {
  const result = make(asked);
  parentPort?.postMessage(result === undefined ? "unsupported" : result === 0 ? "done" : "failed");
});
