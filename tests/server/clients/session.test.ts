import { describe, expect, test } from "bun:test";
import { FdsError } from "../../../lib/protocol/errors.ts";
import { encodeFrame } from "../../../lib/protocol/frame.ts";
import {
  FRAME,
  host,
  log,
  open,
  REGISTER,
  say,
  session,
  socket,
  useSession,
} from "../../support/session.ts";

useSession();

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
  open();
  await say(REGISTER);
  session.onText(`{"key":"a-secret-key"`);
  expect(log.length).toBeGreaterThan(1);
  expect(log.join("")).not.toContain("a-secret");
});
