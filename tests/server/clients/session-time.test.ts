import { beforeEach, describe, expect, jest, test } from "bun:test";
import { FdsError } from "../../../lib/protocol/errors.ts";
import { FRAME, host, REGISTER, say, session, socket, useSession } from "../../support/session.ts";

useSession();

/* When the server ends a client's session: on a timeout, after a replacement, or when the client leaves. */

/** Advances the clock by some seconds, and checks the session every 5 s, as the server does. */
function pass(seconds: number): void {
  for (let second = 1; second <= seconds; second++) {
    jest.advanceTimersByTime(1000);
    if (second % 5 === 0) session.check();
  }
}

describe("time", () => {
  test("is short for saying who it is", () => {
    pass(10);
    expect(socket.closed).toBeUndefined();
    pass(5);
    expect(socket.closed).toEqual([4408, "client_timeout: did not register in 10 s"]);
    expect(host.endings).toBe(1);
  });

  test("is not given anew to a stranger that only pings", () => {
    for (let second = 1; second <= 15; second += 5) {
      pass(5);
      session.onPing();
    }
    expect(socket.closed?.[0]).toBe(4408);
  });

  test("does not run while the answer is pending or after it", async () => {
    await say(REGISTER);
    pass(40);
    expect([socket.closed, socket.terminated]).toEqual([undefined, false]);
  });

  test("ends a peer from which nothing came for 45 s", async () => {
    await say(REGISTER);
    pass(45);
    expect(socket.terminated).toBe(false);
    pass(5);
    expect(socket.terminated).toBe(true);
    expect(host.endings).toBe(1);
  });

  test("is given anew by whatever comes, a pong is enough", async () => {
    await say(REGISTER);
    for (let round = 0; round < 10; round++) {
      pass(40);
      session.onPong();
    }
    expect(socket.terminated).toBe(false);
  });

  test("is measured by pings, one each 15 s", async () => {
    await say(REGISTER);
    expect(socket.pings).toBe(1);
    pass(15);
    expect(socket.pings).toBe(2);
    jest.advanceTimersByTime(20);
    session.onPong();
    expect(session.roundTripMs()).toBe(20);
    pass(15);
    jest.advanceTimersByTime(80);
    session.onPong();
    expect(session.roundTripMs(), "the least that was seen").toBe(20);
    session.onPong();
    expect(session.roundTripMs(), "a pong that nobody asked for").toBe(20);
  });

  test("is found again when the way to the client became longer", async () => {
    await say(REGISTER);
    const pong = (ms: number) => {
      pass(15);
      jest.advanceTimersByTime(ms);
      session.onPong();
      return session.roundTripMs();
    };
    expect(pong(5)).toBe(5);
    const later = Array.from({ length: 8 }, () => pong(300));
    expect(later).toEqual([...Array(7).fill(5), 300]);
  });
});

describe("another connection has the client's id", () => {
  let answers: number;

  beforeEach(async () => {
    answers = 0;
    await say(REGISTER);
    session.replace(() => answers++);
  });

  test("so this one carries nothing, and is asked whether it is there", () => {
    expect(host.endings).toBe(1);
    expect([socket.closed, session.isOpen]).toEqual([undefined, false]);
    expect(socket.asked).not.toBe("");
    session.onText("{");
    session.onBinary(FRAME);
    expect(socket.closed).toBeUndefined();
  });

  test("and it answers: that is told, and then it ends", () => {
    session.onPong(socket.asked);
    expect(answers).toBe(1);
    expect(socket.closed).toEqual([4410, "replaced: another machine uses this id"]);
    session.onPong(socket.asked);
    expect(answers).toBe(1);
  });

  test.each<[string, () => void]>([
    ["nothing", () => undefined],
    ["what came late", () => session.onText('{"type":"proving","stream":1,"epoch":1,"offset":0}')],
    ["the answer to an earlier ping", () => session.onPong("")],
  ])("and %s comes: it is what the client left behind, and ends", (_, come) => {
    come();
    pass(4);
    expect(socket.closed).toBeUndefined();
    pass(1);
    expect(socket.closed).toEqual([4410, "replaced: the client connected again"]);
    expect(answers).toBe(0);
  });

  test("and it is gone before it answered: that is all", () => {
    session.closed();
    pass(10);
    expect([socket.closed, answers]).toEqual([undefined, 0]);
  });

  test("and a flood of what it still says ends it", () => {
    for (let n = 0; n < 30_000; n++) session.onPing();
    expect(socket.terminated).toBe(true);
  });
});

describe("the end", () => {
  test("comes once, whoever brings it", async () => {
    await say(REGISTER);
    session.end(new FdsError("replaced", "the client connected again"));
    session.drop("dead");
    session.closed();
    session.end(new FdsError("shutting_down", "bye"));
    expect(host.endings).toBe(1);
    expect(socket.closed?.[0]).toBe(4410);
    expect(socket.terminated).toBe(false);
  });

  test("is the end: nothing that still comes is read, nothing is sent", async () => {
    await say(REGISTER);
    session.closed();
    const before = socket.sent.length;
    session.onText("{");
    session.onBinary(FRAME);
    session.send({ type: "cancel", stream: 1, epoch: 1 });
    pass(100);
    expect(socket.sent).toHaveLength(before);
    expect([socket.closed, socket.terminated, host.endings]).toEqual([undefined, false, 1]);
  });

  test("comes when a message could not be handed over", async () => {
    socket.taken = 0;
    await say(REGISTER);
    expect(socket.terminated).toBe(true);
    expect(session.isOpen).toBe(false);
  });
});
