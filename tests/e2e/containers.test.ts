import { expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseChecksums, readChecksums } from "../../lib/cli/checksums.ts";
import { testClientIds, testFilePath } from "../../lib/cli/setup/test-files.ts";
import { Containers, missingForContainers } from "../support/containers.ts";
import { md5OfFile, writeRandom } from "../support/sources.ts";
import { spawnSync } from "../support/spawn.ts";
import { waitFor } from "../support/wait.ts";

const MiB = 1024 * 1024;
const RESTAURANTS = testClientIds(3);
const SERVICES = [...RESTAURANTS.map((id) => `client-${id}`), "server"];

/**
 * Time limit in ms. It is enough for building the images, and for clients that take up to a minute to
 * reconnect.
 */
const TIMEOUT = 600_000;

const needs = missingForContainers === null ? "" : ` (needs ${missingForContainers})`;

test.skipIf(needs !== "")(
  `docker-compose runs a server and three restaurants${needs}`,
  async () => {
    await using containers = await Containers.create(16 * MiB);
    await expectTokensWanted(containers);
    await containers.compose("up", "--detach", "--build");
    try {
      await expectAllThere(containers);
      await expectHardened(containers);
      await pullFromAll(containers);
      await pullSet(containers);
      await restartInTheMiddle(containers);
      await expectCleanEnd(containers);
      await recreate(containers);
    } catch (cause) {
      throw new Error(await containers.compose("logs", "--tail=20"), { cause });
    }
  },
  TIMEOUT,
);

/** Without tokens, no container starts, and the error says how to make the tokens. */
async function expectTokensWanted(containers: Containers): Promise<void> {
  await writeFile(join(containers.folder, "empty.env"), "");
  await expect(containers.compose("--env-file", "empty.env", "config")).rejects.toThrow(
    'set API_TOKEN in .env, or run "bun run setup" to make one',
  );
}

async function expectAllThere(containers: Containers): Promise<void> {
  expect(await containers.services()).toEqual(SERVICES);
  await containers.healthy(...SERVICES);
  const clients = await containers.api.clients();
  expect(clients.map(({ client_id, connected }) => ({ client_id, connected }))).toEqual(
    RESTAURANTS.map((id) => ({ client_id: id, connected: true })),
  );
  expect(await (await fetch(containers.url)).text()).toStartWith("<!doctype html>");
}

/** No container runs as root, only mounted folders are writable, and the images hold no source files. */
async function expectHardened(containers: Containers): Promise<void> {
  for (const service of SERVICES) {
    expect(await containers.exec(service, "id", "-u")).not.toBe("0\n");
    await expect(containers.exec(service, "touch", "/app/x")).rejects.toThrow("Read-only");
    const files = (await containers.exec(service, "ls", "/app")).trim().split("\n");
    // Worker threads need files of their own beside the bundled program.
    const sources = files.filter((name) => name.endsWith(".ts") && !name.endsWith("-worker.ts"));
    expect([...sources, ...files.filter((name) => name === "node_modules")]).toEqual([]);
  }
  const write = containers.exec("client-restaurant-001", "touch", "/files/file_to_download.txt");
  await expect(write).rejects.toThrow("Read-only");
}

/** Files pulled from all clients at the same time arrive whole, and the user of the host may delete them. */
async function pullFromAll(containers: Containers): Promise<void> {
  const { sums } = parseChecksums(await readChecksums(join(containers.folder, "checksums.txt")));
  const pulls = RESTAURANTS.map(async (clientId) => {
    const { download_id } = await containers.api.startDownload({ client_id: clientId });
    const record = await containers.api.watchDownload(download_id, () => {});
    const md5 = sums.get(testFilePath(clientId)) ?? "";
    expect(record).toMatchObject({ status: "completed", md5, attempts: 1 });
    expect(await md5OfFile(containers.saved(record))).toBe(md5);
    await rm(containers.saved(record));
  });
  await Promise.all(pulls);
}

/** A pulled folder is identical to its source, and the system's md5sum confirms its checksums. */
async function pullSet(containers: Containers): Promise<void> {
  const folder = join(containers.folder, "test-files/restaurant-001/exports");
  for (const day of ["monday", "tuesday"]) {
    await mkdir(join(folder, day), { recursive: true });
    await writeRandom(join(folder, day, "sales.csv"), 100_000);
  }
  const { download_id } = await containers.api.startDownload({
    client_id: "restaurant-001",
    paths: ["exports"],
  });
  const record = await containers.api.watchDownload(download_id, () => {});
  expect(record).toMatchObject({ status: "completed", files_received: 2, files_skipped: 0 });
  const saved = containers.saved(record);
  const cwd = join(saved, "..");
  const sums = spawnSync(["md5sum", "-c", "--quiet", `${basename(saved)}.md5`], { cwd });
  expect(sums).toMatchObject({ exitCode: 0, success: true });
  const same = spawnSync(["diff", "-r", join(saved, "exports"), folder], { cwd });
  expect(same.stdout.toString() + same.stderr.toString()).toBe("");
}

/** A restart of the server in the middle of a download loses no durable bytes. */
async function restartInTheMiddle(containers: Containers): Promise<void> {
  const source = join(containers.folder, "test-files/restaurant-002/large.bin");
  const wanted = await writeRandom(source, 512 * MiB);
  const { Id: client } = await containers.inspect("client-restaurant-002");
  const { download_id } = await containers.api.startDownload({
    client_id: "restaurant-002",
    file_path: "large.bin",
  });
  const look = () => containers.api.download(download_id);
  await waitFor(async () => (await look()).bytes_received > 0, "the first bytes");
  // Pausing the client stops the download halfway, however fast the machine is.
  await containers.docker("pause", client);
  const before = await look();
  expect(before).toMatchObject({ status: "downloading", total_size: wanted.size });
  await containers.compose("restart", "server");
  await containers.healthy("server");
  const kept = await look();
  expect(kept.status).toBe("queued");
  expect(kept.bytes_received).toBeGreaterThanOrEqual(before.bytes_received);
  await containers.docker("unpause", client);
  const after = await containers.api.watchDownload(download_id, () => {});
  expect(after).toMatchObject({ status: "completed", md5: wanted.md5, attempts: 2 });
  expect(await md5OfFile(containers.saved(after))).toBe(wanted.md5);
}

/** Each program exits with code 0 when its container is stopped. */
async function expectCleanEnd(containers: Containers): Promise<void> {
  await containers.compose("stop");
  for (const service of SERVICES) {
    const { State } = await containers.inspect(service);
    expect({ service, ...State }).toMatchObject({ service, Status: "exited", ExitCode: 0 });
  }
  await containers.compose("start");
  await containers.healthy(...SERVICES);
}

/** Recreated containers still have the download records, and the clients still have their keys. */
async function recreate(containers: Containers): Promise<void> {
  const before = await containers.api.downloads();
  expect(before.downloads).toHaveLength(5);
  await containers.compose("down", "--volumes");
  await containers.compose("up", "--detach");
  await containers.healthy(...SERVICES);
  expect(await containers.api.downloads()).toEqual(before);
  expect(await containers.compose("logs", "server")).not.toContain("enrol");
}
