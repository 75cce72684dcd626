import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { FakeS3 } from "../support/fake-s3.ts";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { Random } from "../support/random.ts";
import { settingsOf } from "../support/s3-system.ts";
import { ServerGroup } from "../support/server-group.ts";
import { md5OfBytes, type Version, versionOf, writeRandom } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { tell } from "./effort.ts";
import { SEED, seedCount } from "./seeds.ts";

const MiB = 1024 * 1024;
const COUNT = seedCount(1);
setDefaultTimeout(TEST_LIMIT * Math.max(1, COUNT));

/*
 * Row 49: three servers on one Postgres, of which some are killed, frozen or cut off. What they share is a
 * folder where the seed is even, else an S3.
 */
const IS_IN_S3 = SEED % 2 === 1;

const SITES = ["site-1", "site-2"] as const;
/** Files of a download that is a set. */
const IN_A_SET = 12;

interface Asked {
  downloadId: string;
  /** The files that it is for, by their paths at the site. */
  wanted: Map<string, Version>;
}

describe.skipIf(NO_POSTGRES !== "")(`row 49: three servers${NO_POSTGRES}`, () => {
  let postgres: Postgres;
  let ways: CuttingProxy[];
  let s3: FakeS3;
  let group: ServerGroup;

  beforeAll(async () => {
    postgres = await Postgres.start();
    ways = await Promise.all(Array.from({ length: 3 }, () => CuttingProxy.start(postgres.port)));
    const databaseUrl = await postgres.makeDatabase();
    const databaseUrls = ways.map(({ port }) =>
      databaseUrl.replace(`:${postgres.port}/`, `:${port}/`),
    );
    s3 = new FakeS3();
    const env = IS_IN_S3 ? settingsOf(s3) : {};
    group = await ServerGroup.start({ count: 3, databaseUrl, databaseUrls, env });
    for (const site of SITES) await group.startClient(site);
    group.network.shape({ bytesPerSecond: 6 * MiB });
  });
  afterAll(async () => {
    await group?.[Symbol.asyncDispose]();
    for (const way of ways ?? []) await way[Symbol.asyncDispose]();
    await s3?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
  });

  /** Asks one server after the other, until one answers. */
  async function askAny<T>(random: Random, ask: (n: number) => Promise<T>): Promise<T> {
    const found = await waitFor(
      () =>
        ask(random.int(0, 2)).then(
          (answer) => ({ answer }),
          () => null,
        ),
      "a server to answer",
    );
    return found.answer;
  }

  async function askFor(random: Random, name: string): Promise<Asked> {
    const client_id = random.pick(SITES);
    const wanted = new Map<string, Version>();
    if (random.float() < 0.6) {
      wanted.set(name, await writeRandom(group.source(name), random.int(1, 9 * MiB)));
      const order = { client_id, file_path: name };
      const { download_id } = await askAny(random, (n) => group.at(n).api.startDownload(order));
      return { downloadId: download_id, wanted };
    }
    await mkdir(group.source(name));
    for (let n = 0; n < IN_A_SET; n++) {
      const path = `${name}/${n}`;
      const size = n === 5 ? 4 * MiB : random.int(1, 200_000);
      wanted.set(path, await writeRandom(group.source(path), size));
    }
    const order = { client_id, paths: [name] };
    const { download_id } = await askAny(random, (n) => group.at(n).api.startDownload(order));
    return { downloadId: download_id, wanted };
  }

  const strikes: Record<string, (n: number, random: Random) => Promise<void>> = {
    "is killed": async (n, random) => {
      group.at(n).program.signal("SIGKILL");
      await group.at(n).program.ended();
      await Bun.sleep(random.int(0, 2_000));
      await group.restart(n);
    },
    "is frozen": async (n, random) => {
      const { program, port } = group.at(n);
      const { order } = group.balancer;
      program.signal("SIGSTOP");
      group.balancer.avoid(port);
      // A client would notice after 45 s.
      group.network.cut("rst");
      await Bun.sleep(random.int(100, 2_000));
      if (random.float() < 0.5) await group.endLease(n);
      await Bun.sleep(random.int(0, 1_000));
      program.signal("SIGCONT");
      group.balancer.order = order;
    },
    "has no database": async (n, random) => {
      ways[n]?.goDown();
      await Bun.sleep(random.int(100, 2_000));
      if (random.float() < 0.3) await group.endLease(n);
      await Bun.sleep(random.int(0, 1_000));
      ways[n]?.comeBack();
    },
    "and all others have no database": async (_, random) => {
      for (const way of ways) way.goDown();
      // Now and then so long that every lease is over by then; it would be much in CI.
      const isLong = COUNT > 1 && random.float() < 0.2;
      await Bun.sleep(isLong ? 17_000 : random.int(100, 3_000));
      for (const way of ways) way.comeBack();
    },
    "loses its clients": async () => group.network.cut("rst"),
  };

  async function storedAt(path: string): Promise<Version> {
    if (!IS_IN_S3) return versionOf(join(group.folder, "files", path));
    const { bytes } = s3.objects.get(path) ?? { bytes: new Uint8Array() };
    return { size: bytes.length, md5: md5OfBytes(bytes) };
  }

  const isOwn = (path: string) => path.startsWith(".server/");
  const published = async () =>
    IS_IN_S3 ? s3.keys.filter((key) => !isOwn(key)) : group.published();
  const underWay = async () => (IS_IN_S3 ? s3.keys.filter(isOwn) : group.parts());

  async function expectDelivered(record: DownloadRecord, { wanted }: Asked): Promise<string[]> {
    expect(record).toMatchObject({ status: "completed", error: null });
    const saved = record.saved_path ?? "";
    const pathOf = (path: string) => (record.kind === "file" ? saved : `${saved}/${path}`);
    for (const [path, version] of wanted) {
      expect(await storedAt(pathOf(path))).toEqual(version);
    }
    const own = [...wanted.keys()].map(pathOf);
    return record.kind === "file" ? own : [...own, `${saved}.md5`];
  }

  const known: string[] = [];

  async function runSeed(seed: number): Promise<void> {
    const random = new Random(seed);
    group.balancer.prefer(group.at(random.int(0, 2)).port);
    const asked: Asked[] = [];
    const asking = (async () => {
      for (let n = 0; n < 5; n++) {
        asked.push(await askFor(random, `${seed}-${n}`));
        await Bun.sleep(random.int(0, 300));
      }
    })();
    const blows: string[] = [];
    for (let n = random.int(1, 3); n > 0; n--) {
      await Bun.sleep(random.int(100, 1_500));
      const [which, name] = [random.int(0, 2), random.pick(Object.keys(strikes))];
      blows.push(`${which} ${name}`);
      await strikes[name]?.(which, random);
    }
    await asking;
    for (const one of asked) {
      const record = await group.ended(one.downloadId, group.at(random.int(0, 2)));
      known.push(...(await expectDelivered(record, one)));
    }
    expect((await published()).toSorted()).toEqual(known.toSorted());
    await waitFor(async () => (await underWay()).length === 0, "the parts to go");
    tell(`seed ${seed}: ${blows.join(", ")}`);
  }

  test(`nothing is lost, doubled or broken (seed ${SEED})`, async () => {
    for (let n = 0; n < COUNT; n++) {
      try {
        await runSeed(SEED + n);
      } catch (cause) {
        throw new Error(`FDS_SEED=${SEED + n} FAULT_SEEDS=1 runs it again`, { cause });
      }
    }
  });
});
