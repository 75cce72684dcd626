import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/** Environment variables that preload planted-bugs.ts into a server. */
const WITH_BUGS = { BUN_OPTIONS: `--preload=${join(import.meta.dir, "planted-bugs.ts")}` };

/* A server with planted bugs: a bug met by one download must not affect other downloads. */

const MiB = 1024 * 1024;

/** The final status of a download for each planted bug, by the name of the file that triggers the bug. */
const STATUSES = {
  "throws at a message": "failed",
  "throws at a frame": "failed",
  "throws later": "completed",
  "rejects, and nobody listens": "completed",
} as const;

test("row 42: a download that meets a bug is alone with it: the server and the other ones go on", async () => {
  await using system = await System.start({ ...WITH_BUGS, MAX_ACTIVE_DOWNLOADS_PER_CLIENT: "9" });
  // The client sends at most 2 MiB/s, so that the good download runs during all the others.
  await system.startClient({ env: { RATE_LIMIT: "2MiB" } });
  const names = Object.keys(STATUSES);
  const wanted = await Promise.all(
    ["good", ...names].map((name) => writeRandom(system.source(name), 4 * MiB)),
  );
  const { pid } = system.server;
  const good = await system.pull("good");
  const ids = await Promise.all(names.map((name) => system.pull(name)));

  for (const [n, status] of Object.values(STATUSES).entries()) {
    const record = await system.ended(ids[n]!);
    expect(record.status, names[n]).toBe(status);
    if (status === "completed") await system.expectDelivered(record, wanted[n + 1]!);
    else expect(record).toMatchObject({ error_code: "storage_error", error: "a planted bug" });
  }
  const record = await system.ended(good);
  await system.expectDelivered(record, wanted[0]!);
  // The good download's connection was never interrupted.
  expect(record.attempts).toBe(1);

  expect(system.server.pid).toBe(pid);
  expect((await system.api.health()).status).toBe("healthy");
  const logged = system.server.log().filter(({ level }) => level === "error");
  expect(logged.length).toBeGreaterThanOrEqual(names.length);
  for (const line of logged) expect(line["stack"]).toContain("a planted bug");
  await system.expectTidy();
});
