import { describe, expect, test } from "bun:test";
import { FlowControl } from "../../../lib/server/transfer/flow-control.ts";
import { MAX_UNFLUSHED, openStream } from "../../support/streams.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

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
    credit.setEnd(totalSize);
    credit.grant();
    expect(credit.maxOffset).toBe(expected);
    expect(pool.outstanding).toBe(expected - offset);
  });

  test("gives back what lies behind the end, once that is known", () => {
    const pool = new FlowControl(128 * MiB);
    const { credit } = openStream(pool);
    credit.grant();
    expect(pool.outstanding).toBe(MiB);
    credit.setEnd(10);
    expect([credit.maxOffset, pool.outstanding]).toEqual([10, 10]);
  });

  test("goes on as bytes are written, not for every crumb, and not beyond the end", () => {
    const pool = new FlowControl(128 * MiB);
    const { credit, grants } = openStream(pool);
    credit.setEnd(2 * MiB);
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
    credit.setEnd(10 * MiB);
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
  /** Returns the window, in bytes, after a link was fully used for 200 round trips. */
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
      // A round trip carries all granted bytes, but no more than fit the link.
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

/** Bytes per second. With a round trip of 150 ms, 18 MiB are under way. */
const GIGABIT = 125e6;
const LONG_WAY = 150;

describe("a stream that begins", () => {
  /** Opens a stream, on a clock that the test sets. */
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
