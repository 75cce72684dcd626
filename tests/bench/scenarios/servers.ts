import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../../../lib/cli/program.ts";
import { NO_DATABASES, startDatabases } from "../../support/postgres.ts";
import { writeRandom } from "../../support/sources.ts";
import { ServerGroup } from "../../support/server-group.ts";
import { alternate, type Effort, type Run, type Scenario } from "../core/scenario.ts";

const MiB = 1024 * 1024;

/**
 * Time between two requests for the state of a download, in ms. It is long enough not to slow down the
 * server.
 */
const LOOK_EVERY = 50;

/** Number of servers, and number of clients in each group. */
const COUNT = 3;
const SIZE: Record<Effort, number> = { tiny: MiB, quick: 256 * MiB, full: 256 * MiB };

/**
 * Compares clients that are all connected to one server with clients that each have a server of their own.
 * The servers share one Postgres and one disk.
 */
async function measure(run: Run): Promise<void> {
  const { effort, figures } = run;
  if (NO_DATABASES !== "") return run.notRun("three servers", NO_DATABASES.trim());
  await using databases = await startDatabases();
  const env = { RECEIVE_BUDGET: "64MiB" };
  const databaseUrl = await databases.makeDatabase();
  await using group = await ServerGroup.start({ count: COUNT, databaseUrl, env });
  const numbers = Array.from({ length: COUNT }, (_, n) => n);
  const size = SIZE[effort];
  await writeRandom(group.source("file"), size);
  for (const n of numbers) {
    await group.startClient(`of-one-${n}`, group.at(0).url);
    await group.startClient(`of-three-${n}`, group.at(n).url);
  }
  const pull = async (kind: string): Promise<number> => {
    const start = Date.now();
    const ends = await Promise.all(numbers.map((n) => pullOne(group, `${kind}-${n}`)));
    return (COUNT * size) / MiB / ((Math.max(...ends) - start) / 1000);
  };
  // Warm-up, because a real server has been running for a while.
  for (const kind of ["of-one", "of-three"]) await pull(kind);
  await alternate(run, [
    async () => figures.add("one server", "MiB/s", await pull("of-one")),
    async () => figures.add("three servers", "MiB/s", await pull("of-three")),
  ]);
  figures.compare("three servers ÷ one server", "three servers", "one server");
}

/**
 * Pulls the file, and removes it on the server.
 * @returns the time at which the pull was completed, in ms since 1970
 */
async function pullOne(group: ServerGroup, clientId: string): Promise<number> {
  const { api } = group.at(0);
  const { download_id } = await api.startDownload({ client_id: clientId, file_path: "file" });
  for (;;) {
    const { status, completed_at, saved_path, error } = await api.download(download_id);
    if (status === "completed") {
      await rm(join(group.folder, "files", saved_path!));
      return Date.parse(completed_at!);
    }
    if (completed_at !== null) throw new Failure(`a download ended ${status}: ${error}`);
    await Bun.sleep(LOOK_EVERY);
  }
}

export const servers: Scenario = {
  name: "servers",
  about:
    "three clients at one server, and each at a server of its own, which share Postgres and the disk",
  rounds: { tiny: 1, quick: 2, full: 9 },
  seconds: { tiny: 6, quick: 30, full: 90 },
  heavy: true,
  measure,
};
