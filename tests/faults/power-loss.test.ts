import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { LoopDisk } from "../support/loop-disk.ts";
import { lacksLoopDisks, lacksStrace } from "../support/machine.ts";
import { Random } from "../support/random.ts";
import { md5OfFile } from "../support/sources.ts";
import { deadlineOf, overSeeds, SEED, seedCount } from "./seeds.ts";
import { delivered, KiB, MiB, setStage, type Stage, stageOnDisk } from "./stage.ts";
import { overSteps, pullWhileAway, STEPS_DEADLINE, stepThrough } from "./steps.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * The server is killed at a chosen system call, or its disk loses power, and with it everything unflushed.
 * This disk is ext4 in a file. The database is on it too, or on another disk: then its rows must not claim
 * more bytes than this disk holds.
 */

const APART = { DATABASE_URL: "sqlite://state.db" };

/** Expects invariants A and B while the server is down: every published file is complete. */
async function expectNothingBetween({ system, wanted, invariants }: Stage): Promise<void> {
  for (const name of await system.published()) {
    if (name.startsWith("lost+found")) continue;
    expect(await md5OfFile(join(system.folder, "downloads", name)), name).toBe(wanted.md5);
  }
  await invariants.expectSafe();
}

/** Restarts the server, and expects all invariants when the download has ended. */
async function expectDelivered(stage: Stage, downloadId: string, breaks: number): Promise<void> {
  await stage.system.restartServer();
  await stage.invariants.expectAll(delivered(downloadId, stage, breaks));
}

/**
 * Downloads a file, and kills the server right after a system call.
 * @param until the call, as {@link stepThrough} names it; without one, nothing is killed
 * @param down a disk whose power is cut before the server is killed
 * @returns the calls up to then
 */
async function killAfter(stage: Stage, until?: string, down?: LoopDisk): Promise<string[]> {
  const { server } = stage.system;
  // At this rate the transfer takes half a second, long enough for several checkpoints.
  stage.proxy.shape({ bytesPerSecond: 2 * stage.wanted.size });
  const downloadId = await pullWhileAway(stage);
  const steps = await stepThrough(stage, downloadId, until);
  if (until === undefined || !steps.includes(until)) return steps;
  down?.cutPower();
  server.signal("SIGKILL");
  await server.ended();
  await down?.restorePower();
  await expectNothingBetween(stage);
  await expectDelivered(stage, downloadId, 2);
  return steps;
}

/**
 * The system calls that the server makes in every download. The calls of its checkpoints are left out,
 * because their number varies.
 */
const ALWAYS = [
  "fsync parts 1",
  "fdatasync part 1",
  "fdatasync state.db-wal 1",
  "fsync downloads 1",
  "link 1",
  "fsync site-1 1",
  "unlink 1",
  "fdatasync state.db-wal 2",
];
const rounds = seedCount(1);

test.skipIf(lacksStrace !== "")(
  `row 2: the server is killed after each fsync, link and unlink in turn (FDS_SEED=${SEED}), ${rounds} times${lacksStrace}`,
  async () => {
    for (let round = 0; round < rounds; round++) {
      const size = new Random(SEED + round).int(MiB, 4 * MiB);
      const met = await overSteps(async (until) => {
        await using stage = await setStage({ size });
        return await killAfter(stage, until);
      });
      expect([...met]).toEqual(expect.arrayContaining(ALWAYS));
    }
  },
  rounds * STEPS_DEADLINE,
);

describe.skipIf(lacksLoopDisks !== "")(`the power is lost${lacksLoopDisks}`, () => {
  const seeds = seedCount(2);

  test(
    `row 5: while bytes flow (FDS_SEED=${SEED}), ${seeds} seeds`,
    () =>
      overSeeds(seeds, async (seed) => {
        const random = new Random(seed);
        const size = random.int(4 * MiB, 16 * MiB);
        const isApart = random.pick([true, false]);
        const env = {
          ...(isApart && APART),
          CHUNK_SIZE: String(random.pick([64 * KiB, MiB])),
        };
        await using stage = await stageOnDisk({ size, env, seed });
        const { system, proxy, disk } = stage;
        // This rate is low enough for several checkpoints during the transfer.
        proxy.shape({ bytesPerSecond: 8 * MiB });
        const moment = random.int(1, size);
        const cut = proxy.after("up", moment, () => disk.cutPower());
        const downloadId = await system.pull("file");
        await cut;
        // The server runs on for a while after its disk has failed.
        await Bun.sleep(random.pick([0, random.int(0, 400)]));
        system.server.signal("SIGKILL");
        await system.server.ended();
        await disk.restorePower();
        await expectNothingBetween(stage);
        // The rows of a running download are not flushed. If they are on the disk that lost power, all bytes
        // may be sent again.
        await expectDelivered(stage, downloadId, isApart ? 1 : 2);
      }),
    deadlineOf(seeds),
  );

  test.skipIf(lacksStrace !== "")(
    `row 6: after each fsync, link and unlink in turn (FDS_SEED=${SEED}), ${rounds} times${lacksStrace}`,
    async () => {
      for (let round = 0; round < rounds; round++) {
        const size = new Random(SEED + round).int(MiB, 4 * MiB);
        // In the first round the database is on another disk, because a flush of its file also flushes the
        // names of files on the same disk.
        const env = round % 2 === 0 ? APART : {};
        const met = await overSteps(async (until) => {
          await using stage = await stageOnDisk({ size, env });
          return await killAfter(stage, until, stage.disk);
        });
        expect([...met]).toEqual(expect.arrayContaining(ALWAYS));
      }
    },
    rounds * STEPS_DEADLINE,
  );
});
