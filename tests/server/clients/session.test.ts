import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { FdsError } from "../../../lib/protocol/errors.ts";
import { encodeFrame } from "../../../lib/protocol/frame.ts";
import type { Register } from "../../../lib/protocol/messages.ts";
import type { ProbeAnswer } from "../../../lib/server/clients/registered-client.ts";
import { Session, type SessionHost } from "../../../lib/server/clients/session.ts";
import type { Socket } from "../../../lib/server/clients/socket.ts";
import { Logger } from "../../../lib/util/logger.ts";

/** A WebSocket that keeps what happens to it. */
class FakeSocket implements Socket {
  readonly remoteAddress = "127.0.0.1";
  readonly sent: unknown[] = [];
  pings = 0;
  /** What the last ping said. */
  asked = "";
  closed: [code: number, reason: string] | undefined;
  terminated = false;
  /** What sendText() gives: 0 says that the message was dropped. */
  taken = 1;

  sendText(text: string): number {
    this.sent.push(JSON.parse(text));
    return this.taken;
  }
  ping(data = ""): number {
    this.asked = data;
    return ++this.pings;
  }
  close(code: number, reason: string): void {
    this.closed = [code, reason];
  }
  terminate(): void {
    this.terminated = true;
  }
}

/** Lets everybody in, unless told otherwise. */
class FakeHost implements SessionHost {
  refusal: Error | undefined;
  endings = 0;

  async register(session: Session, message: Register): Promise<void> {
    if (this.refusal) throw this.refusal;
    const { client_id: clientId, chunk_size: chunkSize } = message;
    session.registered(
      { clientId, keyHash: "h", chunkSize, features: new Set<string>(), connectedAt: 0 },
      { version: "9.9.9" },
    );
  }
  async probe(): Promise<ProbeAnswer> {
    if (this.refusal) throw this.refusal;
    return { version: "9.9.9", enrols: false, connected: true };
  }
  ended(): void {
    this.endings++;
  }
}

const REGISTER = {
  type: "register",
  client_id: "restaurant-001",
  key: "a-secret-key",
  enroll_token: "a-secret-token",
  version: "1.0.0",
  hostname: "till",
  platform: "linux x64",
  chunk_size: 4096,
};
const FRAME = encodeFrame({ stream: 1, epoch: 1, offset: 0 }, new Uint8Array([1]));

let socket: FakeSocket;
let host: FakeHost;
let log: string[];
let session: Session;

beforeEach(() => {
  jest.useFakeTimers();
  socket = new FakeSocket();
  host = new FakeHost();
  log = [];
  const logger = new Logger({ level: "debug", format: "json", write: (line) => log.push(line) });
  session = new Session(socket, "127.0.0.1", host, logger);
});
afterEach(() => jest.useRealTimers());

/** Registration is answered a moment later. */
async function say(message: unknown): Promise<void> {
  session.onText(JSON.stringify(message));
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

/** Lets a time pass, with the look that is taken at each session every 5 s. */
function pass(seconds: number): void {
  for (let second = 1; second <= seconds; second++) {
    jest.advanceTimersByTime(1000);
    if (second % 5 === 0) session.tend();
  }
}

describe("a client that says who it is", () => {
  test("is answered, and can be asked for files from then on", async () => {
    expect(session.isOpen).toBe(false);
    await say(REGISTER);
    expect(socket.sent).toEqual([
      {
        type: "registered",
        client_id: "restaurant-001",
        features: ["list", "set", "probe"],
        version: "9.9.9",
      },
    ]);
    expect(session.isOpen).toBe(true);
  });

  test("and only asks whether it may register hears it, and is none that can be asked", async () => {
    await say({ ...REGISTER, type: "probe" });
    const features = ["list", "set", "probe"];
    const about = { client_id: "restaurant-001", version: "9.9.9" };
    expect(socket.sent).toEqual([
      { type: "probed", ...about, features, enrols: false, connected: true },
    ]);
    expect(socket.closed).toEqual([1000, "probed"]);
    expect([session.isOpen, session.client, host.endings]).toEqual([false, undefined, 1]);
  });

  test("and only asks hears why it may not", async () => {
    host.refusal = new FdsError("key_mismatch", "this is why");
    await say({ ...REGISTER, type: "probe" });
    expect(socket.closed).toEqual([4403, "key_mismatch: this is why"]);
  });

  test("cannot register behind a question", async () => {
    session.onText(JSON.stringify({ ...REGISTER, type: "probe" }));
    await say(REGISTER);
    expect(socket.closed).toEqual([1002, "protocol_error: register came twice"]);
    expect([session.isOpen, socket.sent]).toEqual([false, []]);
  });

  test.each([
    ["enrolment_required", 4401],
    ["key_mismatch", 4403],
    ["id_in_use", 4409],
  ] as const)("and may not register hears why: %s", async (code, close) => {
    host.refusal = new FdsError(code, "this is why");
    await say(REGISTER);
    expect(socket.closed).toEqual([close, `${code}: this is why`]);
    expect(host.endings).toBe(1);
    expect(log.join("")).toContain("this is why");
  });

  test("hears nothing of a bug, whose stack is in the log", async () => {
    host.refusal = new TypeError("undefined is not a database");
    await say(REGISTER);
    expect(socket.closed).toEqual([
      1011,
      "internal_error: the server could not register the client",
    ]);
    expect(log.join("")).toContain("TypeError: undefined is not a database");
  });

  test("twice breaks the protocol", async () => {
    await say(REGISTER);
    await say(REGISTER);
    expect(socket.closed).toEqual([1002, "protocol_error: register came twice"]);
  });
});

describe("what is no message ends the connection, and says why", () => {
  test.each<[string, string, number, RegExp]>([
    ["no JSON", "{", 1002, /^protocol_error: the message is not JSON$/],
    ["no object", "[]", 1002, /^protocol_error: /],
    ["an unknown type", '{"type":"hello"}', 1002, /^protocol_error: type: /],
    ["no type", "{}", 1002, /^protocol_error: type: /],
    [
      "another message than register",
      '{"type":"proving","stream":1,"epoch":1,"offset":0}',
      1002,
      /register must be the first message$/,
    ],
    ["too long", JSON.stringify("x".repeat(65_535)), 1009, /^message_too_large: /],
    [
      "an id with odd characters",
      JSON.stringify({ ...REGISTER, client_id: "../etc" }),
      1002,
      /client_id: must be 1 to 64/,
    ],
    [
      "an id that is too long",
      JSON.stringify({ ...REGISTER, client_id: "x".repeat(65) }),
      1002,
      /client_id: /,
    ],
    ["no key", JSON.stringify({ ...REGISTER, key: undefined }), 1002, /key: /],
    [
      "a key that is too long",
      JSON.stringify({ ...REGISTER, key: "x".repeat(513) }),
      1002,
      /key: /,
    ],
    [
      "a chunk size that is too large",
      JSON.stringify({ ...REGISTER, chunk_size: 2 ** 40 }),
      1002,
      /chunk_size: /,
    ],
    [
      "a negative chunk size",
      JSON.stringify({ ...REGISTER, chunk_size: -1 }),
      1002,
      /chunk_size: /,
    ],
    [
      "a hostname that is a number",
      JSON.stringify({ ...REGISTER, hostname: 5 }),
      1002,
      /hostname: /,
    ],
  ])("%s", async (_, text, code, reason) => {
    session.onText(text);
    expect(socket.closed?.[0]).toBe(code);
    expect(socket.closed?.[1]).toMatch(reason);
    expect(Buffer.byteLength(socket.closed![1])).toBeLessThanOrEqual(123);
    expect(host.endings).toBe(1);
  });

  test("a frame before register", () => {
    session.onBinary(FRAME);
    expect(socket.closed).toEqual([1002, "protocol_error: a frame came before register"]);
  });

  test("a frame for a stream that was never opened", async () => {
    await say(REGISTER);
    session.onBinary(FRAME);
    expect(socket.closed).toEqual([1002, "protocol_error: there is no stream 1"]);
  });

  test("a frame over the chunk size that was agreed on", async () => {
    await say(REGISTER);
    session.onBinary(encodeFrame({ stream: 1, epoch: 1, offset: 0 }, new Uint8Array(4097)));
    expect(socket.closed?.[1]).toContain("over the agreed 4096");
  });

  test("a reason is cut between two characters, not in one", () => {
    session.end(new FdsError("protocol_error", "ж".repeat(100)));
    const [, reason] = socket.closed!;
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
    expect(reason).toMatch(/^protocol_error: ж+$/);
  });
});

test("no secret of a client is in the log, whatever it sends", async () => {
  host.refusal = new FdsError("enrolment_required", "ENROLL_TOKEN is not the server's");
  await say({ ...REGISTER, chunk_size: "x" });
  session = new Session(
    socket,
    "127.0.0.1",
    host,
    new Logger({ level: "debug", format: "json", write: (line) => log.push(line) }),
  );
  await say(REGISTER);
  session.onText(`{"key":"a-secret-key"`);
  expect(log.length).toBeGreaterThan(1);
  expect(log.join("")).not.toContain("a-secret");
});

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
