import { describe, expect, test } from "bun:test";
import { FlowControl, type StreamFlowControl } from "../../../lib/server/transfer/flow-control.ts";
import { Random } from "../../support/random.ts";
import { openStream } from "../../support/streams.ts";

/* How streams share one receive budget: which ones wait, and that all continue. */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

test("a stream that had to wait goes on when another one is closed", () => {
  const pool = new FlowControl(256 * KiB);
  const streams = Array.from({ length: 5 }, () => openStream(pool));
  for (const { credit } of streams) credit.grant();
  const each = [64 * KiB];
  expect(streams.map(({ grants }) => grants)).toEqual([each, each, each, each, []]);
  streams[0]!.credit.close();
  expect(streams[4]!.grants).toEqual(each);
});

describe("streams wait for what others hold", () => {
  /** Opens seven streams under a budget that is 8 KiB too small. The last stream lacks these 8 KiB. */
  function crowd() {
    const pool = new FlowControl(7 * 64 * KiB - 8 * KiB);
    const streams = Array.from({ length: 7 }, () => openStream(pool).credit);
    for (const stream of streams) stream.grant();
    return { pool, streams, last: streams[6]! };
  }

  test("only while there is nothing left", () => {
    const { pool, streams, last } = crowd();
    expect(last.maxOffset).toBe(56 * KiB);
    expect(streams[0]!.othersWait).toBe(true);
    streams[0]!.close();
    expect(pool.outstanding).toBeLessThan(pool.budget);
    expect(streams.map((stream) => stream.othersWait)).toEqual(streams.map(() => false));
  });

  test("and none for what it holds itself", () => {
    expect(crowd().last.othersWait).toBe(false);
  });
});

test.each([
  [1, MiB],
  [32, MiB],
  [64, 512 * KiB],
  [256, 128 * KiB],
  [1_000, 64 * KiB],
])("%d streams that are new have %d bytes each", (count, each) => {
  const pool = new FlowControl(128 * MiB);
  const streams = Array.from({ length: count }, () => openStream(pool));
  for (const { credit } of streams) credit.grant();
  expect(new Set(streams.flatMap(({ grants }) => grants))).toEqual(new Set([each]));
});

interface Transfer {
  credit: StreamFlowControl;
  totalSize: number;
  written: number;
  /** The highest offset that the client has been granted. */
  told: number;
}

/** Simulates many transfers under one budget: clients send all that is granted, and the disk writes it. */
function runTransfers(random: Random, budget: number, streams: number, maxSize: number): void {
  const pool = new FlowControl(budget);
  const transfers = new Set<Transfer>();
  let now = 0;

  const open = () => {
    const totalSize = random.int(0, maxSize);
    const offset = random.float() < 0.3 ? random.int(0, totalSize) : 0;
    const transfer: Transfer = {
      totalSize,
      written: offset,
      told: offset,
      credit: pool.open({
        offset,
        maxUnflushed: Infinity,
        rateLimit: null,
        roundTripMs: () => 10,
        now: () => now,
        onGrant: (maxOffset) => {
          expect(maxOffset, "an absolute offset never falls").toBeGreaterThan(transfer.told);
          transfer.told = maxOffset;
        },
      }),
    };
    transfers.add(transfer);
    transfer.credit.grant();
    return transfer;
  };
  const close = (transfer: Transfer) => {
    transfer.credit.close();
    transfers.delete(transfer);
  };
  const restart = (transfer: Transfer) => {
    transfer.told = transfer.written = 0;
    transfer.credit.restart();
  };

  for (let n = 0; n < streams; n++) {
    const transfer = open();
    if (random.float() < 0.2) restart(transfer);
    transfer.credit.setEnd(transfer.totalSize);
    transfer.told = Math.min(transfer.told, transfer.totalSize);
    transfer.credit.grant();
  }
  for (let steps = 1; transfers.size > 0; steps++) {
    now += random.int(1, 50);
    expect(pool.outstanding).toBeGreaterThanOrEqual(0);
    expect(pool.outstanding).toBeLessThanOrEqual(budget);
    const ready = [...transfers].filter(
      ({ written, credit, totalSize }) => written < credit.maxOffset || written === totalSize,
    );
    // If no stream can continue, all of them wait forever.
    expect(ready.length, `of ${transfers.size} streams can go on`).toBeGreaterThan(0);
    const transfer = random.pick(ready);
    if (transfer.written === transfer.totalSize || random.float() < 0.002) {
      close(transfer);
      continue;
    }
    const granted = transfer.credit.maxOffset - transfer.written;
    const bytes = random.float() < 0.5 ? granted : random.int(1, granted);
    transfer.written += bytes;
    transfer.credit.wrote(bytes);
    expect(transfer.credit.maxOffset).toBeLessThanOrEqual(transfer.totalSize);
    expect(steps).toBeLessThan(1_000_000);
  }
  expect(pool.outstanding, "everything is given back").toBe(0);
}

test.each([
  ["the smallest budget there is", 4 * KiB, 1, 300 * KiB],
  ["the smallest budget, many streams", 4 * KiB, 20, 100 * KiB],
  ["fewer bytes than streams want", 64 * KiB, 50, MiB],
  ["a budget that is no round number", 100_003, 7, 3 * MiB],
  ["a budget of a few windows", 4 * MiB, 10, 20 * MiB],
  ["room for all", 128 * MiB, 32, 50 * MiB],
])("with %s every file comes to its end within the budget", (_, budget, streams, maxSize) => {
  for (let seed = 1; seed <= 20; seed++) {
    try {
      runTransfers(new Random(seed), budget, streams, maxSize);
    } catch (cause) {
      throw new Error(`seed ${seed} broke a rule: ${String(cause)}`, { cause });
    }
  }
});

test("nobody starves: each stream is served again and again while others want everything", () => {
  const pool = new FlowControl(256 * KiB);
  const streams = Array.from({ length: 40 }, () => openStream(pool));
  for (const { credit } of streams) {
    credit.setEnd(GiB);
    credit.grant();
  }
  const written = streams.map(() => 0);
  // Streams with credit use it up at once, so a waiting stream must get the credit that they return.
  for (let round = 0; round < 200; round++) {
    for (const [index, { credit }] of streams.entries()) {
      const bytes = credit.maxOffset - written[index]!;
      written[index]! += bytes;
      if (bytes > 0) credit.wrote(bytes);
    }
  }
  const least = Math.min(...written);
  expect(least).toBeGreaterThan(0);
  expect(Math.max(...written) / least).toBeLessThan(4);
});
