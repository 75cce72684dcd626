import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { FlowControl, type StreamFlowControl } from "../../../lib/server/transfer/flow-control.ts";
import { Random } from "../../support/random.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const MAX_UNFLUSHED = 8 * MiB;

/** A stream whose grants are kept, on a clock that stands still. */
function openStream(pool: FlowControl, offset = 0) {
  const grants: number[] = [];
  const credit = pool.open({
    offset,
    maxUnflushed: MAX_UNFLUSHED,
    rateLimit: null,
    roundTripMs: () => 1,
    onGrant: (maxOffset) => grants.push(maxOffset),
    now: () => 0,
  });
  return { credit, grants };
}

describe("a stream alone", () => {
  test.each([
    ["a file that is longer than the window", 0, 100 * MiB, MiB],
    ["a file that is shorter", 0, 5, 5],
    ["an empty file", 0, 0, 0],
    ["the rest of a file", 3 * MiB, 100 * MiB, 4 * MiB],
    ["the last bytes of a file", 3 * MiB, 3 * MiB + 7, 3 * MiB + 7],
    ["nothing, as all is here", 3 * MiB, 3 * MiB, 3 * MiB],
  ])("is granted %s", (_, offset, totalSize, expected) => {
    const pool = new FlowControl(128 * MiB);
    const { credit } = openStream(pool, offset);
    credit.endsAt(totalSize);
    credit.grant();
    expect(credit.maxOffset).toBe(expected);
    expect(pool.outstanding).toBe(expected - offset);
  });

  test("gives back what lies behind the end, once that is known", () => {
    const pool = new FlowControl(128 * MiB);
    const { credit } = openStream(pool);
    credit.grant();
    expect(pool.outstanding).toBe(MiB);
    credit.endsAt(10);
    expect([credit.maxOffset, pool.outstanding]).toEqual([10, 10]);
  });

  test("goes on as bytes are written, not for every crumb, and not beyond the end", () => {
    const pool = new FlowControl(128 * MiB);
    const { credit, grants } = openStream(pool);
    credit.endsAt(2 * MiB);
    credit.grant();
    credit.wrote(1);
    expect(grants).toEqual([MiB]);
    credit.wrote(MiB / 4);
    expect(grants).toEqual([MiB, MiB + MiB / 4 + 1]);
    credit.wrote(MiB - MiB / 4 - 1);
    expect(grants.at(-1)).toBe(2 * MiB);
    credit.wrote(MiB);
    expect(grants.at(-1)).toBe(2 * MiB);
    expect(pool.outstanding).toBe(0);
  });

  test("begins at the first byte again after a restart, and holds nothing meanwhile", () => {
    const pool = new FlowControl(128 * MiB);
    const { credit, grants } = openStream(pool, 50 * MiB);
    credit.grant();
    credit.restart();
    expect([credit.maxOffset, pool.outstanding]).toEqual([0, 0]);
    credit.endsAt(10 * MiB);
    credit.grant();
    expect(grants).toEqual([51 * MiB, MiB]);
  });

  test("goes on ahead of what is flushed by the window and the most that may be unsafe", () => {
    const pool = new FlowControl(128 * MiB);
    const { credit } = openStream(pool);
    credit.grant();
    const { window } = credit;
    for (let written = 0; written < MAX_UNFLUSHED; written += window) credit.wrote(window);
    expect(credit.maxOffset).toBe(MAX_UNFLUSHED + window);
    credit.wrote(window);
    expect(credit.maxOffset, "nothing more while nothing is flushed").toBe(MAX_UNFLUSHED + window);
    credit.flushed(window);
    expect(credit.maxOffset).toBe(MAX_UNFLUSHED + 2 * window);
  });

  test("gives everything back when it is closed", () => {
    const pool = new FlowControl(128 * MiB);
    const { credit, grants } = openStream(pool);
    credit.grant();
    credit.wrote(5);
    credit.close();
    expect(pool.outstanding).toBe(0);
    expect(grants).toHaveLength(1);
  });
});

describe("the window", () => {
  /** The window after a link has carried as much as it can for some round trips. */
  function windowOn(bytesPerSecond: number, roundTripMs: number): number {
    const pool = new FlowControl(10 * GiB);
    let now = 0;
    const credit = pool.open({
      offset: 0,
      maxUnflushed: Infinity,
      rateLimit: null,
      roundTripMs: () => roundTripMs,
      onGrant: () => undefined,
      now: () => now,
    });
    credit.grant();
    for (let tick = 0; tick < 200; tick++) {
      const elapsed = Math.max(25, roundTripMs);
      now += elapsed;
      // A round trip carries what was granted, or what fits the link.
      const carried = Math.floor(Math.min(pool.outstanding, (bytesPerSecond * elapsed) / 1000));
      credit.wrote(carried);
    }
    return credit.window;
  }

  test.each([
    ["a gigabit at 300 ms", 125 * MiB, 300, 36 * MiB, 72 * MiB],
    ["a gigabit at 1 ms", 125 * MiB, 1, MiB, 16 * MiB],
    ["ten megabit at 50 ms", 1.25 * MiB, 50, 256 * KiB, MiB],
    ["a modem", 5 * KiB, 500, 256 * KiB, 256 * KiB],
  ])("of %s is enough to fill it, and not much more", (_, rate, roundTrip, least, most) => {
    const window = windowOn(rate, roundTrip);
    expect(window).toBeGreaterThanOrEqual(least);
    expect(window).toBeLessThanOrEqual(most);
  });

  test("is no smaller for the time that the request was under way", () => {
    let now = 0;
    const credit = new FlowControl(GiB).open({
      offset: 0,
      maxUnflushed: Infinity,
      rateLimit: null,
      roundTripMs: () => 300,
      onGrant: () => undefined,
      now: () => now,
    });
    credit.grant();
    const first = credit.window;
    now = 300;
    credit.wrote(64 * KiB);
    expect(credit.window).toBe(first);
  });
});

/** A gigabit, which at 150 ms has 18 MiB under way. */
const GIGABIT = 125e6;
const LONG_WAY = 150;

describe("a stream that begins", () => {
  /** On a clock that the test sets. */
  function begin(pool: FlowControl, knownRate: number | null, roundTripMs = LONG_WAY) {
    let now = 0;
    const credit = pool.open({
      offset: 0,
      maxUnflushed: MAX_UNFLUSHED,
      rateLimit: null,
      roundTripMs: () => roundTripMs,
      knownRate,
      onGrant: () => undefined,
      now: () => now,
    });
    credit.grant();
    const arrive = (ms: number, bytes: number) => {
      now += ms;
      credit.arrived(bytes);
    };
    return { credit, arrive };
  }

  test.each<[string, number | null, number, number, number]>([
    ["nothing is known of its link", null, LONG_WAY, 128 * MiB, MiB],
    ["a gigabit is known, on a long way", GIGABIT, LONG_WAY, GiB, 2 * 0.15 * GIGABIT],
    ["the same, with a common budget", GIGABIT, LONG_WAY, 128 * MiB, 24 * MiB],
    ["the same, with a small budget", GIGABIT, LONG_WAY, 4 * MiB, MiB],
    ["a gigabit is known, around the corner", GIGABIT, 1, 128 * MiB, MiB],
    ["20 Mbit/s are known, on a long way", 2.5e6, 200, 128 * MiB, 1e6],
    ["1 Mbit/s is known, so that a cancel is felt in 2 s", 125e3, 200, 128 * MiB, 256 * KiB],
  ])("has what its link is known to need: %s", (_, rate, roundTrip, budget, expected) => {
    const pool = new FlowControl(budget);
    expect(begin(pool, rate, roundTrip).credit.maxOffset).toBe(expected);
    expect(pool.outstanding).toBe(expected);
  });

  test("leaves something to all of 256 that begin at once, and as much as without it to most", () => {
    const pool = new FlowControl(128 * MiB);
    const held = Array.from({ length: 256 }, () => begin(pool, GIGABIT).credit.maxOffset);
    const without = new FlowControl(128 * MiB);
    const modest = Array.from({ length: 256 }, () => begin(without, null).credit.maxOffset);
    expect(pool.outstanding).toBeLessThanOrEqual(pool.budget);
    expect(held.every((bytes, n) => bytes >= modest[n]!)).toBe(true);
    expect(held.filter((bytes, n) => bytes > modest[n]!)).toHaveLength(3);
  });

  test("has all that its link needs as soon as its first frames are here", () => {
    const { credit, arrive } = begin(new FlowControl(128 * MiB), null);
    for (let frame = 0; frame < 4; frame++) arrive(2, 256 * KiB);
    expect(credit.window).toBeGreaterThan(0.15 * GIGABIT);
    expect(credit.window).toBeLessThan(3 * 0.15 * GIGABIT);
  });

  test("is not slowed down by the first frames where its link is known", () => {
    const { credit, arrive } = begin(new FlowControl(128 * MiB), GIGABIT);
    const before = credit.window;
    for (let frame = 0; frame < 4; frame++) arrive(20, 256 * KiB);
    expect(credit.window).toBe(before);
  });

  test.each([
    ["a link that is slow", LONG_WAY, 2000, 256 * KiB],
    ["frames that waited in a buffer and came at once", LONG_WAY, 0.5, 256 * KiB],
    ["few bytes", LONG_WAY, 4, 64 * KiB],
    ["a short way", 1, 2, 256 * KiB],
  ])("has no more for %s", (_, roundTrip, every, bytes) => {
    const { credit, arrive } = begin(new FlowControl(128 * MiB), null, roundTrip);
    for (let frame = 0; frame < 4; frame++) arrive(every, bytes);
    expect(credit.window).toBeLessThanOrEqual(MiB);
  });

  test("leaves what was measured to the next one, but not a rate that was limited", () => {
    const { credit, arrive } = begin(new FlowControl(128 * MiB), null);
    expect(credit.rate).toBeNull();
    for (let frame = 0; frame < 4; frame++) arrive(2, 256 * KiB);
    expect(credit.rate).toBeCloseTo((768 * KiB) / 0.006);
    credit.limitRate(100_000);
    expect(credit.rate).toBeNull();
    credit.close();
  });
});

describe("a limit on the rate", () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** What a stream of 100 MiB is granted under a limit, by a client that sends all at once. */
  function paced(rateLimit: number | null) {
    let granted = 0;
    const credit = new FlowControl(128 * MiB).open({
      offset: 0,
      maxUnflushed: MAX_UNFLUSHED,
      rateLimit,
      roundTripMs: () => 1,
      onGrant: (maxOffset) => queueMicrotask(() => write(maxOffset)),
    });
    const write = (maxOffset: number) => {
      credit.wrote(maxOffset - granted);
      credit.flushed(maxOffset);
      granted = maxOffset;
    };
    credit.endsAt(100 * MiB);
    credit.grant();
    return {
      credit,
      grantedAfter: async (ms: number) => {
        for (let step = 0; step < ms; step++) {
          jest.advanceTimersByTime(1);
          for (let turn = 0; turn < 8; turn++) await Promise.resolve();
        }
        return granted;
      },
    };
  }

  test.each([
    ["10 KiB", 10 * KiB],
    ["1 MiB", MiB],
    ["8 MiB", 8 * MiB],
  ])("of %s a second is used up and never exceeded by more than a burst", async (_, rate) => {
    const { credit, grantedAfter } = paced(rate);
    const burst = rate / 10;
    for (let second = 1; second <= 5; second++) {
      const granted = await grantedAfter(1000);
      expect(granted).toBeGreaterThan(second * rate - burst);
      expect(granted).toBeLessThanOrEqual(second * rate + burst);
    }
    credit.close();
  });

  test("is raised, lowered and lifted while it runs", async () => {
    const { credit, grantedAfter } = paced(10 * KiB);
    const before = await grantedAfter(1000);
    credit.limitRate(MiB);
    const raised = await grantedAfter(1000);
    expect(raised - before).toBeGreaterThan(0.8 * MiB);
    credit.limitRate(10 * KiB);
    const lowered = await grantedAfter(1000);
    expect(lowered - raised).toBeLessThan(200 * KiB);
    credit.limitRate(null);
    expect(await grantedAfter(1000)).toBe(100 * MiB);
    credit.close();
  });

  test("leaves no timer behind", async () => {
    const { credit } = paced(10 * KiB);
    expect(jest.getTimerCount()).toBe(1);
    credit.close();
    expect(jest.getTimerCount()).toBe(0);
  });
});

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
  /** Seven streams, the last of which has all but a crumb of what it wants. */
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
  /** The most that the client was told. */
  told: number;
}

/** Many files at once under one budget: clients send what they may, the disk writes it. */
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
    transfer.credit.endsAt(transfer.totalSize);
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
    // Somebody can always go on, or all wait for ever.
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
    credit.endsAt(GiB);
    credit.grant();
  }
  const written = streams.map(() => 0);
  // Those with credit write at once: whoever waits has to get what they give back.
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
