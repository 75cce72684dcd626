import type { ApiClient } from "../../../lib/cli/rest/api-client.ts";

/** Pause between an answer and the next call, in ms. */
const PAUSE = 5;

/**
 * Calls the REST interface repeatedly until a promise settles: health, the list of downloads, and one
 * download in turn.
 * @param downloadId id of the download that is read
 * @param meanwhile the promise to wait for
 * @returns the duration of each call, in ms
 */
export async function probeRest(
  api: ApiClient,
  downloadId: string,
  meanwhile: Promise<unknown>,
): Promise<number[]> {
  const calls = [
    () => api.health(),
    () => api.downloads({ limit: "20" }),
    () => api.download(downloadId),
  ];
  const latencies: number[] = [];
  const over = meanwhile.then(
    () => true,
    () => true,
  );
  do {
    for (const call of calls) {
      const start = performance.now();
      await call();
      latencies.push(performance.now() - start);
      await Bun.sleep(PAUSE);
    }
  } while (!(await Promise.race([over, false])));
  await meanwhile;
  return latencies;
}
