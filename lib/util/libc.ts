import { dlopen, type FFIFunction, type Library } from "bun:ffi";

/**
 * File names of the C library: glibc's, then musl's. syncfs-worker.ts has a copy of this list, as a worker's
 * file must not import other files.
 */
const LIBRARIES = ["libc.so.6", "libc.so"];

/**
 * Opens functions of the C library, for system calls that Bun does not offer. Linux only.
 * @returns the functions by name; null on other systems, or if the library lacks one of the functions
 */
export function openLibc<Calls extends Record<string, FFIFunction>>(
  calls: Calls,
): Library<Calls>["symbols"] | null {
  if (process.platform !== "linux") return null;
  for (const library of LIBRARIES) {
    try {
      return dlopen(library, calls).symbols;
    } catch {
      // This library is missing or lacks a function: try the next one.
    }
  }
  return null;
}
