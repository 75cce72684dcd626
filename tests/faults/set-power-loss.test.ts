import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { LoopDisk } from "../support/loop-disk.ts";
import { lacksLoopDisks, lacksStrace } from "../support/machine.ts";
import { Random } from "../support/random.ts";
import { flawsOfSet, pullSet, unsafeFiles, writeSet } from "../support/set-source.ts";
import { spawnSync } from "../support/spawn.ts";
import { SEED } from "./seeds.ts";
import { KiB, setStage, type Stage, stageOnDisk } from "./stage.ts";
import { overSteps, pullWhileAway, STEPS_DEADLINE, stepThrough } from "./steps.ts";

/*
 * Row 43 of the fault table: the server is killed, or its disk loses power, after each system call that
 * stores a part of a set. `power-loss.test.ts` does the same for a file.
 */

/**
 * Settings that put the database on another disk. On the same disk, a flush of the database's file would
 * also flush the names of the set's files.
 */
const APART = { DATABASE_URL: "sqlite://state.db" };

/** The calls that occur whenever a set is published. */
const ALWAYS = ["syncfs set 1", "rename 1", "fsync site-1 1", "fsync sums 1", "link 1", "unlink 1"];

/**
 * Expects every published folder to be a complete set, even before its checksums exist, which mark the set as
 * completed.
 */
async function expectWhole({ system }: Stage): Promise<void> {
  const folder = join(system.folder, "downloads/site-1");
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const isSums = name.endsWith(".md5");
    if (isSums) expect(flawsOfSet(system, `site-1/${name.slice(0, -4)}`), name).toBe("");
    const flaws = spawnSync([
      "diff",
      "-r",
      system.source("exports"),
      join(folder, name, "exports"),
    ]);
    if (!isSums) expect(flaws.stdout.toString() + flaws.stderr.toString(), name).toBe("");
  }
}

/**
 * Downloads a set, and kills the server right after a system call.
 * @param until the call, as {@link stepThrough} names it; without one, nothing is killed
 * @param disk loses its power before the kill
 * @returns the calls up to then
 */
async function killAfter(stage: Stage, until?: string, disk?: LoopDisk): Promise<string[]> {
  const { system } = stage;
  await writeSet(system, new Random(SEED), { small: 30, large: [300 * KiB] });
  const downloadId = await pullWhileAway(stage, () => pullSet(system));
  const steps = await stepThrough(stage, downloadId, until);
  if (until === undefined || !steps.includes(until)) return steps;
  disk?.cutPower();
  system.server.signal("SIGKILL");
  await system.server.ended();
  await disk?.restorePower();
  await expectWhole(stage);
  expect(await unsafeFiles(system, downloadId)).toEqual([]);
  await system.restartServer();
  const record = await system.ended(downloadId);
  expect(record).toMatchObject({ status: "completed", files_received: 31 });
  expect(flawsOfSet(system, record.saved_path!)).toBe("");
  expect(await readdir(join(system.serverFolder, "parts"))).toEqual([]);
  expect(await readdir(join(system.folder, "downloads/site-1"))).toHaveLength(2);
  return steps;
}

const how = lacksLoopDisks === "" ? "and the power is lost" : `${lacksLoopDisks.trim()}`;

test.skipIf(lacksStrace !== "")(
  `row 43: the server is killed after each call of a set in turn, ${how} (FDS_SEED=${SEED})${lacksStrace}`,
  async () => {
    const met = await overSteps(async (until) => {
      const options = { size: 1, env: APART };
      await using stage =
        lacksLoopDisks === ""
          ? await stageOnDisk(options)
          : { ...(await setStage(options)), disk: undefined };
      return await killAfter(stage, until, stage.disk);
    });
    expect([...met]).toEqual(expect.arrayContaining(ALWAYS));
  },
  STEPS_DEADLINE,
);
