import { expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { footprintOf, HAS_PROC } from "../support/footprint.ts";
import { run as runCommand } from "../support/machine.ts";
import type { Verdict } from "../support/invariants.ts";
import type { Program } from "../support/programs.ts";
import { SEED } from "./seeds.ts";
import { Random } from "../support/random.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { NoReader } from "./no-reader.ts";
import { delivered, KiB, MiB, setStage } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Tests that wait until a silent peer counts as dead: 45 s, and up to 5 s more until the next check. They run
 * at the same time, to wait only once.
 */

/** Time limit for a program to notice a silent peer, in ms, even on a busy machine. */
const NOTICED_WITHIN = 120_000;

const SIZE = 8 * MiB;
const WHEN = 3 * MiB;

function noticed(program: Program): Promise<unknown> {
  return waitFor(
    () => program.log().some(({ message }) => /nothing was heard for 45 s/.test(message)),
    `${program.name} to notice that nothing comes`,
    NOTICED_WITHIN,
  );
}

test.concurrent("row 9: half-open: nothing comes and nothing closes", async () => {
  await using stage = await setStage({ size: SIZE });
  const { system, proxy, client, invariants } = stage;
  const silent = proxy.after("up", WHEN, () => {
    proxy.hold("up");
    proxy.hold("down");
  });
  const downloadId = await system.pull("file");
  await silent;
  // Each side must notice by itself, because no close frame gets through.
  await Promise.all([noticed(client), noticed(system.server)]);
  const isQueued = async () => (await system.api.download(downloadId)).status === "queued";
  await waitFor(isQueued, "the download to be queued again");
  await invariants.expectSafe();
  proxy.release("up");
  proxy.release("down");
  await invariants.expectAll(delivered(downloadId, stage, 1));
  expect((await system.api.clients())[0]).toMatchObject({ connected: true, problem: null });
});

test.concurrent.each([
  ["to the server", "up"],
  ["to the client", "down"],
] as const)("row 10: the direction %s is black", async (_, direction) => {
  await using stage = await setStage({ size: SIZE });
  const { system, proxy, client, invariants } = stage;
  // Only the current connection is affected. The client's next connection works.
  const black = proxy.after("up", WHEN, () => proxy.links[0]?.hold(direction));
  const downloadId = await system.pull("file");
  await black;
  await noticed(direction === "up" ? system.server : client);
  await invariants.expectSafe();
  await invariants.expectAll(delivered(downloadId, stage, 1));
});

test.concurrent(
  `row 14: a bit flipped in the header of a WebSocket frame (FDS_SEED=${SEED})`,
  async () => {
    const random = new Random(SEED);
    const flips = Array.from({ length: 4 }, () => ({
      frame: random.int(2, 20),
      bit: random.int(0, 14 * 8 - 1),
    }));
    const run = async (flip: (typeof flips)[number]) => {
      let frames = 0;
      await using stage = await setStage({
        size: SIZE,
        env: { CHUNK_SIZE: String(64 * KiB) },
        prepare: (proxy) =>
          proxy.rewrite("up", ({ bytes, isBinary }) => {
            // The header includes the mask, where a flipped bit flips bits of the payload.
            if (isBinary && ++frames === flip.frame) bytes[flip.bit >> 3]! ^= 1 << (flip.bit & 7);
            return [bytes];
          }),
      });
      const { system, client, invariants } = stage;
      const downloadId = await system.pull("file");
      await waitFor(
        async () =>
          /completed|failed/.test((await system.api.download(downloadId)).status) ||
          client.log().some(({ message }) => /not connected/.test(message)),
        "the flipped bit to have its consequences",
        NOTICED_WITHIN + 20_000,
      );
      await invariants.expectAll(delivered(downloadId, stage, 1));
    };
    await Promise.all(flips.map(run));
  },
);

test.concurrent("row 18: a 1 Mbit/s link", async () => {
  await using stage = await setStage({ size: 32 * MiB });
  const { system, proxy, client, invariants } = stage;
  proxy.shape({ bytesPerSecond: 1e6 / 8, delay: 20 });
  const first = await system.pull("file");
  // Waits for 50 s of transfer, which is longer than a peer may be silent.
  await waitFor(() => proxy.carried.up > 50e6 / 8, "50 s of bytes", 80_000);
  expect(await system.api.download(first)).toMatchObject({ status: "downloading", attempts: 1 });
  expect(client.log().filter(({ message }) => /not connected/.test(message))).toEqual([]);
  expect(proxy.connections).toBe(1);

  const begun = performance.now();
  expect(await system.api.cancel(first)).toMatchObject({ status: "cancelled" });
  await client.waitForLine(/not sent: cancelled/);
  expect(performance.now() - begun).toBeLessThan(2000);
  expect(proxy.connections).toBe(1);
  proxy.shape({ bytesPerSecond: Infinity });
  const second = await system.pull("file");
  await invariants.expectAll({
    wanted: new Map<string, Verdict>([
      [first, "cancelled"],
      [second, stage.wanted],
    ]),
    breaks: 0,
  });
});

test.concurrent("row 20: a client that stops reading is cut off, and others go on", async () => {
  await using stage = await setStage({ size: SIZE });
  const { system, proxy, client, invariants } = stage;
  await system.startClient({ id: "site-2" });
  const stopped = proxy.after("up", WHEN, () => client.signal("SIGSTOP"));
  const downloadId = await system.pull("file");
  await stopped;
  const other = await system.pull("file", "site-2");
  await system.expectDelivered(await system.ended(other), stage.wanted);
  await noticed(system.server);
  client.signal("SIGCONT");
  await invariants.expectAll(delivered(downloadId, stage, 1));
});

test
  .skipIf(!HAS_PROC)
  .concurrent(
    "row 20: a client that asks and never reads is cut off, and costs little until then",
    async () => {
      await using stage = await setStage({ size: SIZE });
      const { system, invariants } = stage;
      const before = await footprintOf(system.server);
      using client = await NoReader.connect(system.port);
      await client.ask(64 * MiB);
      const { memory } = await footprintOf(system.server);
      expect(memory - before.memory).toBeLessThan(32 * MiB);
      await waitFor(
        async () => {
          // Sends further pings, so that the client does not count as silent.
          await client.ask(1);
          return client.isCutOff;
        },
        "the client to be cut off",
        NOTICED_WITHIN,
      );
      const downloadId = await system.pull("file");
      await invariants.expectAll(delivered(downloadId, stage, 0));
    },
  );

test.concurrent.skipIf(process.platform === "win32")(
  "row 64: a client whose state folder hangs, so that it cannot dial, ends (needs mkfifo)",
  async () => {
    await using stage = await setStage({ size: KiB });
    const { system, proxy, client } = stage;
    const key = join(system.folder, "site-1/key");
    await rm(key);
    // Opening a FIFO for reading blocks until a writer opens it, so reading the key never ends.
    expect(await runCommand("mkfifo", key)).toBe(true);
    proxy.cut("rst");
    const gaveUp = () => client.log().find(({ message }) => message.startsWith("cannot go on: "));
    const last = await waitFor(gaveUp, "the client to give up", NOTICED_WITHIN);
    expect(last.message).toMatch(/^cannot go on: for 60 s there was neither a connection nor a/);
    expect(await client.ended()).toBe(1);
    expect(client.log().at(-1)).toEqual(last);
  },
);
