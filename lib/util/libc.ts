import { dlopen, type FFIFunction, type Library } from "bun:ffi";

/** Names of the library with glibc and with musl. syncfs-worker.ts has a copy, as it may import nothing. */
const LIBRARIES = ["libc.so.6", "libc.so"];

/**
 * Calls of the system's C library, for what Bun has no call of its own.
 * @returns null where there is no such library, or it lacks one of them
 */
export function openLibc<Calls extends Record<string, FFIFunction>>(
  calls: Calls,
): Library<Calls>["symbols"] | null {
  if (process.platform !== "linux") return null;
  for (const library of LIBRARIES) {
    try {
      return dlopen(library, calls).symbols;
    } catch {
      // Another library or system: the caller does without.
    }
  }
  return null;
}
