import { describe, expect, jest, test } from "bun:test";
import { decodeFrame, encodeFrame } from "../../../lib/protocol/frame.ts";
import {
  CHUNK,
  data,
  isOver,
  LARGE,
  line,
  offset,
  outcome,
  receiver,
  send,
  sendRecords,
  settle,
  start,
  told,
  useSetReceiver,
  wanted,
} from "../../support/set-receiver.ts";

useSetReceiver();

/* Which messages of a client that sends a set count as progress, and when the client is given up. */

/** Advances the clock by some seconds, and checks for stalls every 5 s, as the server does. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 5) {
    jest.advanceTimersByTime(5000);
    await settle();
    receiver.checkStalled();
  }
}

const proving = (at: number) =>
  receiver.onMessage({ type: "proving", stream: 1, epoch: 1, offset: at });

async function expectStalled(): Promise<void> {
  expect(isOver()).toBe(true);
  expect(await outcome).toMatchObject({ type: "failed", problem: { code: "client_timeout" } });
}

describe("a walk that is long", () => {
  test("counts as an answer while it sees more names", async () => {
    for (let names = 1; names <= 20; names++) {
      proving(names);
      await pass(30);
    }
    expect(isOver()).toBe(false);
  });

  test("and sees no other name is given up after a minute", async () => {
    for (let step = 1; step <= 3; step++) {
      proving(7);
      await pass(30);
    }
    await expectStalled();
  });

  test("and names no file is given up after 15 minutes, however many names it sees", async () => {
    for (let minute = 1; minute <= 15; minute++) {
      proving(minute);
      await pass(60);
    }
    expect(isOver()).toBe(false);
    for (let minute = 16; minute <= 18; minute++) {
      proving(minute);
      await pass(60);
    }
    await expectStalled();
  });

  test("and names a file now and then is not", async () => {
    for (let minute = 1; minute <= 40; minute++) {
      proving(minute);
      if (minute % 10 === 0) await send(line(`${minute}`));
      await pass(60);
    }
    expect(isOver()).toBe(false);
  });
});

describe("a file that is read again", () => {
  test("counts as an answer within what is here of it", async () => {
    await wanted(LARGE);
    await sendRecords(start(LARGE), data(CHUNK / 2));
    for (let step = 1; step <= 10; step++) {
      proving(step * 3000);
      await pass(30);
    }
    expect(isOver()).toBe(false);
    for (let step = 1; step <= 3; step++) {
      proving(CHUNK + step);
      await pass(30);
    }
    await expectStalled();
  });

  test("is no answer where nothing of it is here", async () => {
    await wanted(CHUNK);
    for (let step = 1; step <= 3; step++) {
      proving(step * 1000);
      await pass(30);
    }
    await expectStalled();
  });

  test("is an answer a few times only", async () => {
    await wanted(LARGE);
    await sendRecords(start(LARGE), data(1000));
    for (let reading = 1; reading <= 30; reading++) {
      proving(1);
      await pass(15);
      proving(1000);
      await pass(15);
    }
    await expectStalled();
  });
});

describe("what brings a set no further is no answer", () => {
  test("a file that begins again and again", async () => {
    await wanted(CHUNK);
    for (let step = 1; step <= 3; step++) {
      await sendRecords(start(CHUNK), data(1000));
      await pass(30);
    }
    await expectStalled();
  });

  test("a frame that does not unpack", async () => {
    await wanted(CHUNK);
    for (let step = 1; step <= 3; step++) {
      const bytes = encodeFrame(
        { stream: 1, epoch: 1, offset },
        Buffer.alloc(1000),
        Buffer.from("?"),
      );
      receiver.onFrame(decodeFrame(bytes, CHUNK));
      const resends = () => told.filter(({ type }) => type === "resend").length;
      // Decompression runs on another thread, which does not follow the fake clock.
      while (resends() < step) await new Promise((resolve) => setImmediate(resolve));
      await pass(30);
    }
    await expectStalled();
  });
});
