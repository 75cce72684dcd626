import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { HEADER_BYTES } from "../../lib/protocol/frame.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { flawsOfSet, pullSet, unsafeFiles, writeSet } from "../support/set-source.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { type FaultName, FAULTS, type Scene } from "./scenario-faults.ts";
import { deadlineOf, overSeeds, SEED, seedCount } from "./seeds.ts";

setDefaultTimeout(TEST_LIMIT);

/* Row 43 of the fault table: faults while a set is listed, received and published. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Approximate number of bytes that the client sends for the set of {@link play}. */
const CARRIED = 5 * MiB;

const ROWS: { row: string; faults: FaultName[]; usual: number }[] = [
  { row: "the server is killed", faults: ["the server is killed"], usual: 3 },
  { row: "the client is killed", faults: ["the client is killed"], usual: 2 },
  {
    row: "the connection breaks",
    faults: ["the socket is closed", "the socket is reset"],
    usual: 2,
  },
  { row: "anything breaks", faults: Object.keys(FAULTS) as FaultName[], usual: 2 },
];

describe(`row 43: at random moments of a set (FDS_SEED=${SEED}),`, () => {
  for (const { row, faults, usual } of ROWS) {
    const count = seedCount(usual);
    test(
      `${row}, ${count} seeds`,
      () => overSeeds(count, (seed) => play(seed, faults)),
      deadlineOf(count),
    );
  }
});

describe(`row 43, as row 13 (FDS_SEED=${SEED}):`, () => {
  test.concurrent.each([0, 1, 2, 3])(
    "bits of frames of a set are flipped, sample %i",
    async (sample) => {
      const random = new Random(SEED + sample);
      await using system = await System.start({ CHUNK_SIZE: String(64 * KiB) });
      await using proxy = await Proxy.listen(system.port, SEED + sample);
      await writeSet(system, random, { small: 200, large: [MiB] });
      // The numbers of the frames to damage: the manifest's first frame, its last frame when sent again, a
      // frame of small files, and one of the large file.
      const flipped = new Set([1, 3, random.int(4, 10), random.int(11, 40)]);
      let frames = 0;
      proxy.rewrite("up", ({ bytes, payloadAt, isBinary }) => {
        const isFlipped = isBinary && flipped.has(++frames);
        if (isFlipped) bytes[random.int(payloadAt + HEADER_BYTES, bytes.length - 1)]! ^= 1;
        return [bytes];
      });
      await system.startClient({
        server: proxy.url,
        env: { COMPRESSION: random.pick(["auto", "off"]) },
      });
      const record = await system.ended(await pullSet(system));
      expect(record).toMatchObject({ status: "completed", attempts: 1, files_received: 201 });
      expect(flawsOfSet(system, record.saved_path!)).toBe("");
      const damaged = system.server.log().filter(({ message }) => /came damaged/.test(message));
      expect(damaged.length).toBeGreaterThanOrEqual(2);
    },
  );
});

/** Downloads a set while random faults occur, and compares every file. */
async function play(seed: number, faults: FaultName[]): Promise<void> {
  const random = new Random(seed);
  await using system = await System.start({
    RECEIVE_BUDGET: String(random.pick([MiB, 4 * MiB])),
    CHUNK_SIZE: String(random.pick([16 * KiB, 64 * KiB, MiB])),
  });
  await using proxy = await Proxy.listen(system.port, seed);
  await writeSet(system, random, { small: 300, large: [MiB, 2 * MiB + 1] });
  const client = await system.startClient({ server: proxy.url });
  const scene: Scene = { system, proxy, client, random };
  proxy.hold("down");
  const downloadId = await pullSet(system);
  const over = system.ended(downloadId);
  for (let strike = random.int(1, 3); strike > 0; strike--) {
    const fault = FAULTS[random.pick(faults)];
    // The fault comes at a random place in the set, or often at its end, where the set is published.
    const bytes = Math.floor(random.pick([random.float(), random.float(), 1]) * CARRIED);
    const moment = proxy.after("up", bytes, () => undefined);
    proxy.release("down");
    await Promise.race([moment, over]);
    await Bun.sleep(random.pick([0, 0, random.int(1, 60)]));
    fault.strike(scene);
    expect(await settledUnsafe(system, downloadId)).toEqual([]);
    expect(await halfPublished(system)).toEqual([]);
    await fault.mend(scene);
  }
  proxy.release("down");
  const record = await over;
  expect(record).toMatchObject({ status: "completed", files_total: 302, files_skipped: 0 });
  expect(flawsOfSet(system, record.saved_path!)).toBe("");
  expect(await readdir(join(system.serverFolder, "parts"))).toEqual([]);
}

/** Returns the violations of invariant B. Rows that change during the check are checked again. */
async function settledUnsafe(system: System, downloadId: string): Promise<string[]> {
  let last: string[] = [];
  await waitFor(async () => {
    const found = await unsafeFiles(system, downloadId);
    const isSame = Bun.deepEquals(found, last);
    last = found;
    return found.length === 0 || isSame;
  }, "rows that stay as they are");
  return last;
}

/**
 * Returns the violations of invariant A: folders with checksums beside them must be complete, and their
 * checksums right.
 */
async function halfPublished(system: System): Promise<string[]> {
  const folder = join(system.folder, "downloads/site-1");
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.endsWith(".md5"))
    .map((name) => flawsOfSet(system, `site-1/${name.slice(0, -".md5".length)}`))
    .filter((flaw) => flaw !== "");
}
