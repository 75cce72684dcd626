import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { waitFor } from "../../support/wait.ts";
import { valueOf } from "../../support/prometheus.ts";
import { alternate, type Run, type Scenario, secondsOf } from "../core/scenario.ts";
import { Stage } from "../core/stage.ts";

const COUNT = { tiny: 20, quick: 1000, full: 10_000 };

const SIZE = 4 * 1024;

/** Number of requests that are made at the same time. */
const CALLERS = 16;

/** Time limit for the completion of all files, in ms. */
const DEADLINE = 300_000;

/** Measures many small files from one client, each with a request of its own. */
async function measure(run: Run): Promise<void> {
  const { effort, figures } = run;
  const names = Array.from({ length: COUNT[effort] }, (_, n) => `small-${n}.bin`);
  await alternate(run, [
    async () => {
      // The rate limit for requests is raised, because one caller makes all of them.
      const env = { REQUEST_RATE: "1000000" };
      await using stage = await Stage.open(run.places.disk, run.signal, env);
      await stage.addClients(1);
      for (const name of names) await writeFile(stage.system.source(name), randomBytes(SIZE));
      const seconds = await secondsOf(() => pullAll(stage, names, run.signal));
      figures.add("all of them", "s", seconds);
      figures.add("downloads", "per s", names.length / seconds);
    },
  ]);
}

async function pullAll(stage: Stage, names: string[], signal: AbortSignal): Promise<void> {
  const waiting = names.values();
  const call = async () => {
    for (const file_path of waiting) {
      await stage.api.startDownload({ client_id: "site-1", file_path });
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
  const isOver = async () => {
    signal.throwIfAborted();
    const metrics = await stage.metrics();
    const ended = (status: string) => valueOf(metrics, "fds_downloads_ended_total", { status });
    if (ended("failed") > 0) throw new Error("a small file did not come");
    return ended("completed") === names.length;
  };
  await waitFor(isOver, "all small files", DEADLINE);
}

export const smallFiles: Scenario = {
  name: "small-files",
  about: "thousands of files of 4 KiB from one client to the disk",
  rounds: { tiny: 1, quick: 1, full: 1 },
  seconds: { tiny: 1, quick: 6, full: 35 },
  measure,
};
