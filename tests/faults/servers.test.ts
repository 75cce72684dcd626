import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NO_POSTGRES } from "../support/postgres.ts";
import { Random } from "../support/random.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { tell } from "./effort.ts";
import { SEED, seedCount } from "./seeds.ts";
import { type Asked, expectOutcome, Orders } from "./servers-orders.ts";
import { expectSafe } from "./servers-safe.ts";
import { ServersStage, SHARED } from "./servers-stage.ts";
import { BREAKS, STRIKES, strikesOn, victimOf } from "./servers-strikes.ts";

const MiB = 1024 * 1024;
const COUNT = seedCount(1);
setDefaultTimeout(TEST_LIMIT * Math.max(1, COUNT));

/*
 * Three servers on one Postgres behind a balancer, of which some are killed, frozen, cut off, out of disk
 * space or without power. The first seed selects the storage that they share. The following seeds keep it:
 * each is larger by the number of storages.
 */
const KINDS = SHARED.length;
const KIND = SHARED[SEED % KINDS] ?? "folder";

/** One in this many seeds downloads large files. */
const LARGE_EACH = 5;
const LARGE = 28 * MiB;
/**
 * Bytes that may be sent twice after a fault: RECEIVE_BUDGET of one server, and one checkpoint for each
 * site's file.
 */
const TWICE = 4 * MiB + 2 * 8 * MiB;

describe.skipIf(NO_POSTGRES !== "")(`three servers that share a ${KIND}${NO_POSTGRES}`, () => {
  let stage: ServersStage;

  beforeAll(async () => {
    stage = await ServersStage.start(KIND);
  });
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
  });

  /**
   * Causes random faults during the downloads, and checks the durable bytes meanwhile.
   * @param blows receives the names of the faults
   */
  async function strike(
    random: Random,
    names: string[],
    asked: readonly Asked[],
    blows: string[],
  ): Promise<void> {
    for (let n = random.int(1, 3); n > 0; n--) {
      await Bun.sleep(random.int(100, 1_500));
      const [victim, name] = [victimOf(stage, random), random.pick(names)];
      blows.push(`${victim} ${name}`);
      const steady = asked.filter(({ isSteady }) => isSteady).map(({ downloadId }) => downloadId);
      await STRIKES[name]?.strike(stage, victim, random, () => expectSafe(stage, steady));
    }
  }

  async function runSeed(seed: number, blows: string[]): Promise<void> {
    const random = new Random(seed);
    const { group, history } = stage;
    group.balancer.prefer(group.at(random.int(0, 2)).port);
    const isLarge = random.int(1, LARGE_EACH) === 1;
    const orders = await Orders.begin(stage, seed);
    const before = group.network.sent.up;
    let useful = 0;
    const asking = (async () => {
      if (isLarge) useful = await orders.large(`${seed}`, LARGE);
      for (let n = 0; n < (isLarge ? 0 : 5); n++) {
        await orders.next(`${seed}-${n}`);
        await Bun.sleep(random.int(0, 300));
      }
    })();
    if (isLarge) await asking;
    await strike(random, isLarge ? BREAKS : strikesOn(KIND), orders.asked, blows);
    await asking;
    await orders.addUnheard();
    const published: string[] = [];
    for (const one of orders.asked) published.push(...(await expectOutcome(stage, one)));
    expect(await stage.published()).toEqual(published.toSorted());
    const twice = group.network.sent.up - before - useful;
    if (isLarge) expect(twice).toBeLessThan(blows.length * TWICE + 4 * MiB);
    await stage.expectNothingHeld();
    await history.expectOneOwnerAtATime();
    for (const { downloadId } of orders.asked) await removeContent(downloadId);
    await waitFor(async () => (await stage.published()).length === 0, "what was published to go");
    tell(
      `seed ${seed}: ${blows.join(", ")}${isLarge ? `; ${(twice / MiB).toFixed(1)} MiB twice` : ""}`,
    );
  }

  /** Removes the files of a completed download, so that the next seed begins without any. */
  async function removeContent(downloadId: string): Promise<void> {
    const { api } = stage.group.at(0);
    if ((await api.download(downloadId)).status === "completed")
      await api.removeContent(downloadId);
  }

  test(`nothing is lost, doubled or broken (seed ${SEED})`, async () => {
    for (let n = 0; n < COUNT; n++) {
      const seed = SEED + n * KINDS;
      const blows: string[] = [];
      try {
        await runSeed(seed, blows);
      } catch (cause) {
        const what = `${blows.join(", ")}: FDS_SEED=${seed} FAULT_SEEDS=1 runs it again`;
        throw new Error(what, { cause });
      }
    }
  });
});
