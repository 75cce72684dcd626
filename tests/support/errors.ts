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

/** What a promise is rejected with; null if it is not. */
export function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error) => error,
  );
}

/** The code of what a promise is rejected with; undefined if it is not. */
export async function codeOfRejection(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await errorOf(promise);
  if (error === null) return undefined;
  return codeOf(() => {
    throw error;
  });
}
