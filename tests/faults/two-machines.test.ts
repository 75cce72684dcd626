import { expect, setDefaultTimeout, test } from "bun:test";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { Program } from "../support/programs.ts";
import { runProgram } from "../support/operator.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Row 53 of the fault table: two machines with the same client id and key, as after a disk was cloned. */

const MiB = 1024 * 1024;
const TOLD = /two machines use this id: "[^"]+" at 127\.0\.0\.1 and "[^"]+" at 127\.0\.0\.1$/;

/** Starts a client as on a second machine, with a copy of the state folder of site-1. */
async function startClone({ folder, url }: System): Promise<Program> {
  await cp(join(folder, "site-1"), join(folder, "clone"), { recursive: true });
  const argv = ["client.ts", "--id", "site-1", "--server", url, "--root", "root"];
  argv.push("--state-dir", "clone");
  return Program.start({ name: "clone", folder, argv, env: {}, ready: /registered as site-1$/ });
}

test("row 53: two machines with one key are told as that, and no file is blamed for it", async () => {
  await using system = await System.start();
  const wanted = await writeRandom(system.source("data.bin"), 4 * MiB);
  const first = await system.startClient();
  const { download_id } = await system.api.startDownload({
    client_id: "site-1",
    file_path: "data.bin",
    // The download is slow, so that it still runs when the second machine connects, even on a busy machine.
    rate_limit: 20_000,
  });
  await waitFor(
    async () => (await system.api.download(download_id)).bytes_received > 0,
    "some of the file to be there",
  );
  await using clone = await startClone(system);

  expect(await system.server.waitForLine(TOLD)).toMatchObject({
    level: "warn",
    client_id: "site-1",
  });
  await first.waitForLine(/the server refused: replaced: another machine uses this id; next try/);
  const [client] = await system.api.clients();
  expect(client).toMatchObject({ connected: true, problem: expect.stringMatching(TOLD) });
  // The download is either queued with the error `id_in_use`, or was not running at that moment and continues
  // at once.
  const moved = await waitFor(async () => {
    const record = await system.api.download(download_id);
    return (record.error_code !== null || record.attempts > 1) && record;
  }, "the download to be taken from the first machine");
  if (moved.error_code !== null) {
    expect(moved).toMatchObject({ error_code: "id_in_use", error: expect.stringMatching(TOLD) });
  }
  const { records } = await system.api.audit({ action: "two_machines" });
  expect(records).toMatchObject([
    { client_id: "site-1", outcome: "replaced", address: "127.0.0.1", target: "127.0.0.1" },
  ]);
  const { stdout } = await runProgram(system, ["fds", "clients", "--json"]);
  expect(JSON.parse(stdout).clients[0].problem).toMatch(TOLD);

  // The download continues by itself at the machine that is connected.
  await system.api.change(download_id, { rate_limit: null });
  await system.expectDelivered(await system.ended(download_id), wanted);
  expect(clone.name).toBe("clone");
});

test("row 53: a client that was killed and is back at once is no second machine", async () => {
  await using system = await System.start();
  const client = await system.startClient();
  for (let n = 0; n < 3; n++) {
    client.signal("SIGKILL");
    await client.restart();
  }
  expect((await system.api.clients())[0]).toMatchObject({ connected: true, problem: null });
  expect(system.server.log().filter(({ message }) => TOLD.test(message))).toEqual([]);
});
