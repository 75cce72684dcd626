import type { ApiClient } from "../../../lib/cli/rest/api-client.ts";

/** Between an answer and the next call, in ms. */
const PAUSE = 5;

/**
 * Calls the REST interface again and again while something else goes on: health, the list and one
 * record in turn.
 * @param downloadId of the record
 * @returns how long each call took, in ms
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
