import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { SendScheduler } from "../../lib/client/send-scheduler.ts";
import { decodeFrame, HEADER_BYTES } from "../../lib/protocol/frame.ts";
import { TokenBucket } from "../../lib/util/token-bucket.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** A fake socket that drains over a link of a known rate, on a fake clock. */
class SlowSocket {
  bufferedAmount = 0;
  /** The stream numbers of the sent frames, in order. */
  readonly streams: number[] = [];

  constructor(private readonly bytesPerSecond: number) {}

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (typeof data === "string") throw new Error("only frames take turns");
    this.streams.push(decodeFrame(data, 8 * MiB).stream);
    this.bufferedAmount += data.length;
  }

  drain(ms: number): void {
    const carried = Math.floor((this.bytesPerSecond * ms) / 1000);
    this.bufferedAmount = Math.max(0, this.bufferedAmount - carried);
  }
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** Advances the clock by `ms` milliseconds, in steps of 1 ms, so that no poll is missed. */
async function pass(socket: SlowSocket, ms: number): Promise<void> {
  for (let step = 0; step < ms; step++) {
    socket.drain(1);
    jest.advanceTimersByTime(1);
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
  }
}

/** Sends frames of a stream whenever the stream gets a turn. */
async function keepSending(
  scheduler: SendScheduler,
  stream: number,
  chunk: number,
  isOver: () => boolean,
) {
  for (let offset = 0; !isOver();) {
    await scheduler.waitForTurn();
    const buffer = new Uint8Array(HEADER_BYTES + scheduler.frameSize(chunk));
    const payload = buffer.subarray(HEADER_BYTES);
    scheduler.send({ stream, epoch: 1, offset }, payload);
    offset += payload.length;
  }
}

describe("on a link that is full", () => {
  /** Lets several downloads send side by side for `ms` milliseconds, and then closes the scheduler. */
  async function race(bytesPerSecond: number, chunks: number[], ms: number) {
    const socket = new SlowSocket(bytesPerSecond);
    const scheduler = new SendScheduler(socket, new TokenBucket(null));
    let over = false;
    const senders = chunks.map((chunk, stream) =>
      keepSending(scheduler, stream, chunk, () => over),
    );
    await pass(socket, ms);
    over = true;
    scheduler.close();
    await Promise.all(senders);
    return { socket, scheduler };
  }

  test("every download has its turn before one has another", async () => {
    const { socket } = await race(10 * MiB, [64 * KiB, 64 * KiB, 64 * KiB], 2000);
    expect(socket.streams.length).toBeGreaterThan(100);
    for (let at = 0; at + 3 <= 99; at += 3) {
      expect(socket.streams.slice(at, at + 3).toSorted()).toEqual([0, 1, 2]);
    }
  });

  test.each([
    ["a slow link", 256 * KiB, 64 * KiB],
    ["a faster one", 8 * MiB, 2 * MiB],
  ])("little lies in the socket of %s", async (_, bytesPerSecond, inQuarterSecond) => {
    const { socket } = await race(bytesPerSecond, [64 * KiB, 64 * KiB], 10_000);
    // The most that may wait in the socket: what the link carries in 250 ms, 10 % more because the rate is
    // measured, and one frame.
    const most = inQuarterSecond * 1.1 + 64 * KiB + HEADER_BYTES;
    expect(socket.bufferedAmount).toBeGreaterThan(0);
    expect(socket.bufferedAmount).toBeLessThan(most);
  });

  test("little lies in the socket also after the system took much at once", async () => {
    const socket = new SlowSocket(128 * KiB);
    let taken = 0;
    const send = socket.send.bind(socket);
    socket.send = (data) => {
      send(data);
      const first = Math.min(2 * MiB - taken, socket.bufferedAmount);
      taken += first;
      socket.bufferedAmount -= first;
    };
    const scheduler = new SendScheduler(socket, new TokenBucket(null));
    let over = false;
    const sending = keepSending(scheduler, 1, 64 * KiB, () => over);
    await pass(socket, 300);
    expect(taken).toBe(2 * MiB);
    expect(socket.bufferedAmount).toBeLessThan(MiB);
    over = true;
    scheduler.close();
    await sending;
  });

  test("frames are as long as the link carries in a tenth of a second, and no crumbs", async () => {
    const { scheduler: slow } = await race(16 * KiB, [64 * KiB], 20_000);
    expect(slow.frameSize(MiB)).toBe(16 * KiB);
    const { scheduler: medium } = await race(2 * MiB, [64 * KiB], 10_000);
    expect(medium.frameSize(MiB)).toBeGreaterThan(150 * KiB);
    expect(medium.frameSize(MiB)).toBeLessThan(260 * KiB);
    expect(medium.frameSize(4 * KiB)).toBe(4 * KiB);
  });
});

describe("after a rest", () => {
  /**
   * Sends for `ms` milliseconds, rests for a minute, and sends again. @returns the new frame size, in bytes
   */
  async function frameSizeAfterRest(bytesPerSecond: number, ms: number) {
    const socket = new SlowSocket(bytesPerSecond);
    const scheduler = new SendScheduler(socket, new TokenBucket(null));
    let over = false;
    const sending = keepSending(scheduler, 1, MiB, () => over);
    await pass(socket, ms);
    over = true;
    await pass(socket, 10_000);
    await sending;
    scheduler.beginPause();
    await pass(socket, 60_000);
    await scheduler.waitForTurn();
    scheduler.send(
      { stream: 1, epoch: 1, offset: 0 },
      new Uint8Array(HEADER_BYTES + 1).subarray(-1),
    );
    return scheduler.frameSize(MiB);
  }

  test.each([
    ["a fast link", 20 * MiB, MiB],
    ["a slower one", 2 * MiB, 200 * KiB],
  ])("frames on %s are as long as before, though the rest was", async (_, rate, expected) => {
    const size = await frameSizeAfterRest(rate, 3000);
    expect(size).toBeGreaterThan(expected * 0.8);
    expect(size).toBeLessThan(expected * 1.2);
  });

  test("a few bytes that were sent before say nothing", async () => {
    const known = await frameSizeAfterRest(20 * MiB, 1000);
    const socket = new SlowSocket(20 * MiB);
    const scheduler = new SendScheduler(socket, new TokenBucket(null));
    const unknown = scheduler.frameSize(MiB);
    scheduler.send(
      { stream: 1, epoch: 1, offset: 0 },
      new Uint8Array(HEADER_BYTES + 1).subarray(-1),
    );
    await pass(socket, 5000);
    scheduler.beginPause();
    expect([known, scheduler.frameSize(MiB)]).toEqual([MiB, unknown]);
  });
});

test.each([20 * KiB, MiB, 20 * MiB])(
  "all senders together keep to a limit of %i bytes a second, and use it",
  async (rate) => {
    const socket = new SlowSocket(100 * MiB);
    const scheduler = new SendScheduler(socket, new TokenBucket(rate));
    let sent = 0;
    const send = socket.send.bind(socket);
    socket.send = (data) => {
      sent += data.length;
      send(data);
    };
    let over = false;
    const senders = [1, 2, 3].map((stream) => keepSending(scheduler, stream, MiB, () => over));
    for (let second = 1; second <= 3; second++) {
      await pass(socket, 1000);
      expect(sent).toBeLessThan((second + 0.25) * rate);
      expect(sent).toBeGreaterThan((second - 0.25) * rate);
    }
    over = true;
    scheduler.close();
    await Promise.all(senders);
  },
);

test("nobody has a turn while the socket is full", async () => {
  const socket = new SlowSocket(0);
  const scheduler = new SendScheduler(socket, new TokenBucket(null));
  socket.bufferedAmount = 64 * MiB;
  let served = false;
  const turn = scheduler.waitForTurn().then(() => (served = true));
  await pass(socket, 1000);
  expect(served).toBe(false);
  socket.bufferedAmount = 0;
  await pass(socket, 10);
  expect(served).toBe(true);
  await turn;
});

test("everybody goes when it is closed, also who comes afterwards", async () => {
  const socket = new SlowSocket(0);
  const scheduler = new SendScheduler(socket, new TokenBucket(null));
  socket.bufferedAmount = 64 * MiB;
  const waiting = [scheduler.waitForTurn(), scheduler.waitForTurn(), scheduler.waitForTurn()];
  scheduler.close();
  await Promise.all(waiting);
  const late = scheduler.waitForTurn();
  await pass(socket, 10);
  await late;
  expect(socket.streams).toEqual([]);
});
