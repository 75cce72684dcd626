import { FdsError } from "../../lib/protocol/errors.ts";

/** Runs a call and returns the code of the FdsError that it throws. Undefined if it throws nothing. */
export function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof FdsError) return error.code;
    throw error;
  }
}

/** Returns the error that a promise is rejected with. Null if the promise is fulfilled. */
export function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error) => error,
  );
}

/**
 * Returns the code of the FdsError that a promise is rejected with. Undefined if the promise is fulfilled.
 */
export async function codeOfRejection(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await errorOf(promise);
  if (error === null) return undefined;
  return codeOf(() => {
    throw error;
  });
}
