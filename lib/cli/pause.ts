import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits for `ms` milliseconds.
 * @throws the reason of `signal` when `signal` is aborted before or during the wait
 */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal?.throwIfAborted());
}
