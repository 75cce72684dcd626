import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseChecksums, readChecksums } from "../../lib/cli/checksums.ts";
import { testClientIds, testFilePath } from "../../lib/cli/test-files.ts";
import { Containers, missingForContainers } from "../support/containers.ts";
import { md5OfFile, writeRandom } from "../support/sources.ts";
import { waitFor } from "../support/wait.ts";

/* The whole story of docker-compose.yml, one chapter after the other, on a real engine. */

const MiB = 1024 * 1024;
const RESTAURANTS = testClientIds(3);
const SERVICES = [...RESTAURANTS.map((id) => `client-${id}`), "server"];

/** The images are built once, clients that lost their server take up to a minute to come back. */
const TIMEOUT = 180_000;

const needs = missingForContainers === null ? "" : ` (needs ${missingForContainers})`;

describe.skipIf(needs !== "")(`docker-compose.yml${needs}`, () => {
  let containers: Containers;

  beforeAll(async () => {
    containers = await Containers.create(16 * MiB);
    await containers.compose("up", "--detach", "--build");
  }, TIMEOUT);
  afterAll(() => containers?.[Symbol.asyncDispose](), TIMEOUT);

  /** Where the person finds what was pulled. */
  const saved = (path: string | null) => join(containers.folder, "downloads", path ?? "");

  test(
    "a server and three restaurants become healthy, and the server lists all three",
    async () => {
      expect(await containers.services()).toEqual(SERVICES);
      await containers.healthy(...SERVICES);
      const clients = await containers.api.clients();
      expect(clients.map(({ client_id, connected }) => ({ client_id, connected }))).toEqual(
        RESTAURANTS.map((id) => ({ client_id: id, connected: true })),
      );
    },
    TIMEOUT,
  );

  test(
    "nobody in a container is root, and nothing but the mounts can be written",
    async () => {
      for (const service of SERVICES) {
        expect(await containers.exec(service, "id", "-u")).not.toBe("0\n");
        await expect(containers.exec(service, "touch", "/app/x")).rejects.toThrow("Read-only");
        expect(await containers.exec(service, "ls", "/app")).toMatch(
          /^(client|server)\.js\n\1\.js\.map\n$/,
        );
      }
      const write = containers.exec(
        "client-restaurant-001",
        "touch",
        "/files/file_to_download.txt",
      );
      await expect(write).rejects.toThrow("Read-only");
    },
    TIMEOUT,
  );

  test(
    "all three files come in whole, and belong to the person",
    async () => {
      const sums = parseChecksums(await readChecksums(join(containers.folder, "checksums.txt")));
      const ids = await Promise.all(
        RESTAURANTS.map(
          async (id) => (await containers.api.startDownload({ client_id: id })).download_id,
        ),
      );
      for (const [i, id] of ids.entries()) {
        const record = await containers.api.watchDownload(id, () => {});
        const wanted = sums.get(testFilePath(RESTAURANTS[i] ?? ""));
        expect(record).toMatchObject({ status: "completed", md5: wanted, attempts: 1 });
        expect(await md5OfFile(saved(record.saved_path))).toBe(wanted ?? "");
      }
      const [first = ""] = await readdir(saved("restaurant-001"));
      await rm(saved(`restaurant-001/${first}`));
    },
    TIMEOUT,
  );

  test(
    "a restart of the server in the middle of a pull loses nothing",
    async () => {
      const wanted = await writeRandom(
        join(containers.folder, "test-files/restaurant-002/large.bin"),
        512 * MiB,
      );
      const client = (await containers.inspect("client-restaurant-002")).Id;
      const { download_id } = await containers.api.startDownload({
        client_id: "restaurant-002",
        file_path: "large.bin",
      });
      const look = () => containers.api.download(download_id);
      const isUnderWay = async () => (await look()).bytes_received > 0;
      await waitFor(isUnderWay, "the first bytes");
      // Held in the middle, however fast the machine is.
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
      expect(await md5OfFile(saved(after.saved_path))).toBe(wanted.md5);
    },
    TIMEOUT,
  );

  test(
    "all end cleanly when they are told to stop",
    async () => {
      await containers.compose("stop");
      for (const service of SERVICES) {
        const { State } = await containers.inspect(service);
        expect({ service, ...State }).toMatchObject({ service, Status: "exited", ExitCode: 0 });
      }
    },
    TIMEOUT,
  );

  test(
    "down and up keep the records, and the clients their keys",
    async () => {
      await containers.compose("start");
      await containers.healthy(...SERVICES);
      const before = await containers.api.downloads();
      expect(before.downloads).toHaveLength(4);
      await containers.compose("down");
      await containers.compose("up", "--detach");
      await containers.healthy(...SERVICES);
      expect(await containers.api.downloads()).toEqual(before);
      const clients = await containers.api.clients();
      expect(clients.filter(({ connected }) => connected)).toHaveLength(3);
      expect(await containers.compose("logs", "server")).not.toContain("enrol");
    },
    TIMEOUT,
  );

  test("without its tokens nothing starts, and it says what to do", async () => {
    await writeFile(join(containers.folder, "empty.env"), "");
    await expect(containers.compose("--env-file", "empty.env", "config")).rejects.toThrow(
      'set API_TOKEN in .env, or run "bun run setup" to make one',
    );
  });
});
