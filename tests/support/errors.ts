import { FdsError } from "../../lib/protocol/errors.ts";

/** The code of what a call throws; undefined if it throws nothing. */
export function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof FdsError) return error.code;
    throw error;
  }
}
