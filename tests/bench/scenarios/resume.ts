import type { DownloadRecord, NewDownload } from "../../../lib/api/schemas.ts";
import { valueOf } from "../../support/prometheus.ts";
import { waitFor } from "../../support/wait.ts";
import { probeRest } from "../core/rest-probe.ts";
import { alternate, type Run, type Scenario } from "../core/scenario.ts";
import { worstLag } from "../core/server-metrics.ts";
import { Stage } from "../core/stage.ts";
import { quantile } from "../core/statistics.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

const SIZE = { tiny: 16 * MiB, quick: GiB, full: 5 * GiB };

/**
 * Shortest duration of the download, in s, set by a rate limit. It leaves time to kill the client before the
 * end.
 */
const AT_LEAST_SECONDS = 4;

/** Percentage of the file at which the client is killed. */
const PERCENT = 90;

/** Time limit for each wait, in ms. Within it, server and client hash the received bytes again. */
const DEADLINE = 120_000;

/**
 * Kills a client during a long download and restarts it. Measures the time until bytes flow again, and the
 * event loop's lag while the server hashes the received bytes again.
 */
async function measure(run: Run): Promise<void> {
  const { figures } = run;
  const size = SIZE[run.effort];
  const place = run.places.disk;
  const file = await place.file(size);
  await alternate(run, [
    async () => {
      await using stage = await Stage.open(place, run.signal);
      await stage.addClients(1);
      const { download_id: downloadId, bytes_received: offset } = await cutDownload(stage, {
        client_id: "site-1",
        file_path: await stage.serve(file),
        rate_limit: size / AT_LEAST_SECONDS,
      });

      const before = await stage.metrics();
      const bytes = valueOf(before, RECEIVED);
      await stage.clients[0]!.restart();
      const start = performance.now();
      const flows = async () => {
        run.signal.throwIfAborted();
        return valueOf(await stage.metrics(), RECEIVED) > bytes;
      };
      const flowing = waitFor(flows, "bytes to flow again", DEADLINE);
      const latencies = await probeRest(stage.api, downloadId, flowing);
      figures.add("until bytes flow again", "s", (performance.now() - start) / 1000);
      figures.add("event-loop lag, at most", "ms", worstLag(before, await stage.metrics()));
      figures.add("REST p99 meanwhile", "ms", quantile(latencies, 0.99));
      figures.add("kept", "share", offset / size);
      await stage.system.ended(downloadId);
    },
  ]);
}

/**
 * Starts a download, and kills its client at 90 % of the file. Repeats this if all bytes had arrived before
 * the client was killed, as may happen on a busy machine.
 */
async function cutDownload(stage: Stage, request: NewDownload): Promise<DownloadRecord> {
  const { download_id: downloadId } = await stage.api.startDownload(request);
  const record = () => stage.api.download(downloadId);
  await waitFor(
    async () => ((await record()).percent ?? 0) >= PERCENT,
    "90 % of the file",
    DEADLINE,
  );
  const client = stage.clients[0]!;
  client.signal("SIGKILL");
  const isQueuedOrOver = async () => ["queued", "completed"].includes((await record()).status);
  await waitFor(isQueuedOrOver, "the server to miss the client", DEADLINE);
  const cut = await record();
  if (cut.status === "queued" && (cut.percent ?? 0) < 100) return cut;
  await client.restart();
  await stage.system.ended(downloadId);
  return cutDownload(stage, request);
}

const RECEIVED = "fds_received_bytes_total";

export const resume: Scenario = {
  name: "resume",
  about: "a file of 5 GiB (quick: 1 GiB), cut at 90 % and resumed",
  rounds: { tiny: 1, quick: 1, full: 1 },
  seconds: { tiny: 2, quick: 12, full: 50 },
  measure,
};
