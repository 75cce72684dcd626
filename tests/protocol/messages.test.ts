import { describe, expect, test } from "bun:test";
import { FdsError } from "../../lib/protocol/errors.ts";
import {
  MAX_CHUNK_SIZE,
  MAX_MESSAGE_BYTES,
  MIN_CHUNK_SIZE,
  parseClientMessage,
  parseServerMessage,
} from "../../lib/protocol/messages.ts";

const MD5 = "d41d8cd98f00b204e9800998ecf8427e";
const SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const identity = {
  size: 10,
  mtime_ns: "1700000000000000000",
  ctime_ns: "-1",
  inode: "18446744073709551615",
  device: "2049",
};
const address = { stream: 1, epoch: 2 };

const register = {
  type: "register",
  client_id: "restaurant-001",
  key: "s3cret-key",
  enroll_token: "s3cret-token",
  version: "1.0.0",
  hostname: "till",
  platform: "linux-x64",
  chunk_size: MIN_CHUNK_SIZE,
};
const fileStart = { type: "file_start", ...address, identity, total_size: 10, offset: 0 };
const fileComplete = { type: "file_complete", ...address, identity, total_size: 10, md5: MD5 };
const fileError = { type: "error", ...address, code: "file_not_found", message: "no such file" };
const request = {
  type: "download_request",
  ...address,
  download_id: "0198c0de-0000-7000-8000-000000000000",
  file_path: "file_to_download.txt",
  chunk_size: MAX_CHUNK_SIZE,
  offset: 5,
  checksum: "md5",
  resume: { prefix_md5: MD5, identity, total_size: 10 },
  max_offset: 10,
};

/** Returns the error with which a message is refused. Throws if the message is accepted. */
function refusal(parse: (text: string) => unknown, text: string): FdsError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof FdsError) return error;
    throw error;
  }
  throw new Error(`let in: ${text.slice(0, 200)}`);
}

const CLIENT_MESSAGES: Record<string, object> = {
  register,
  "register without a token": { ...register, enroll_token: undefined },
  file_start: fileStart,
  "file_start from the beginning": { ...fileStart, reason: "another file" },
  proving: { type: "proving", ...address, offset: 4096 },
  file_complete: fileComplete,
  "file_complete with a SHA-256": { ...fileComplete, md5: undefined, sha256: SHA256 },
  error: fileError,
};

const SERVER_MESSAGES: Record<string, object> = {
  registered: { type: "registered", client_id: "a", version: "1.0.0" },
  download_request: request,
  "download_request for a SHA-256": {
    ...request,
    checksum: "sha256",
    resume: { ...request.resume, prefix_md5: undefined, prefix_sha256: SHA256 },
  },
  "download_request from the beginning": { ...request, offset: 0, resume: undefined },
  credit: { type: "credit", ...address, max_offset: Number.MAX_SAFE_INTEGER },
  resend: { type: "resend", ...address, offset: 0 },
  cancel: { type: "cancel", ...address },
  done: { type: "done", stream: 0xffff_ffff, epoch: 0xffff_ffff },
};

describe.each([
  ["client", parseClientMessage, CLIENT_MESSAGES],
  ["server", parseServerMessage, SERVER_MESSAGES],
] as const)("a message of the %s", (_, parse, messages) => {
  const all = Object.entries(messages);

  test.each(all)("is read: %s", (_name, message) => {
    expect(parse(JSON.stringify(message)) as object).toEqual(message);
  });

  test.each(all)("may say more than is known: %s", (_name, message) => {
    const more = { ...message, more: { later: 1 } };
    expect(parse(JSON.stringify(more)) as object).toEqual(message);
  });

  test.each(all)("needs each of its fields: %s", (_name, message) => {
    const optional = new Set(["enroll_token", "reason", "checksum", "resume"]);
    const given = Object.entries(message).filter(([, value]) => value !== undefined);
    for (const [field] of given.filter(([name]) => !optional.has(name))) {
      const text = JSON.stringify({ ...message, [field]: undefined });
      // One of the two digests is enough. If both are missing, the error names md5.
      const missed = field === "sha256" ? "md5" : field;
      expect(refusal(parse, text).message).toStartWith(`${missed}: `);
    }
  });

  test.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["a number", "1"],
    ["null", "null"],
    ["a list", "[]"],
    ["a text", '"register"'],
    ["no type", "{}"],
    ["an unknown type", '{"type":"reboot"}'],
    ["a type that is no text", '{"type":["cancel"]}'],
    ["the name of a method", '{"type":"toString"}'],
    ["a deep nest", "[".repeat(60_000)],
  ])("is refused: %s", (_name, text) => {
    expect(refusal(parse, text).code).toBe("protocol_error");
  });

  test("is refused when it is too long, counted in bytes", () => {
    const [, message] = all[0]!;
    const room = MAX_MESSAGE_BYTES - JSON.stringify({ ...message, more: "" }).length;
    const sized = (filling: string) => JSON.stringify({ ...message, more: filling });
    expect(parse(sized("x".repeat(room))) as object).toEqual(message);
    expect(refusal(parse, sized("x".repeat(room + 1))).code).toBe("message_too_large");
    expect(refusal(parse, sized("€".repeat(room / 2))).code).toBe("message_too_large");
  });
});

test("neither side takes the messages of the other", () => {
  for (const message of Object.values(CLIENT_MESSAGES)) {
    expect(refusal(parseServerMessage, JSON.stringify(message)).message).toStartWith("type: ");
  }
  for (const message of Object.values(SERVER_MESSAGES)) {
    expect(refusal(parseClientMessage, JSON.stringify(message)).message).toStartWith("type: ");
  }
});

describe("a wrong value is refused", () => {
  const tooLarge = Number.MAX_SAFE_INTEGER + 1;
  const wrong: Record<string, [message: object, field: string, values: unknown[]]> = {
    "client id": [
      register,
      "client_id",
      ["", ".hidden", "-x", "a/b", "a\\b", "..", "a b", "é", "x".repeat(65), "a\n", 1, null],
    ],
    key: [register, "key", ["", "x".repeat(513), 1, null]],
    "enrolment token": [register, "enroll_token", ["", 1, null]],
    "chunk size": [
      register,
      "chunk_size",
      [MIN_CHUNK_SIZE - 1, MAX_CHUNK_SIZE + 1, 4096.5, "4096", -1, null],
    ],
    label: [register, "hostname", ["x".repeat(256), 1, null]],
    stream: [fileStart, "stream", [-1, 0x1_0000_0000, 1.5, "1", null]],
    epoch: [fileStart, "epoch", [-1, 0x1_0000_0000, 1.5, "1", null]],
    offset: [fileStart, "offset", [-1, tooLarge, 0.5, "0", null]],
    size: [fileStart, "total_size", [-1, tooLarge, 0.5, "0", null]],
    identity: [
      fileStart,
      "identity",
      [
        {},
        { ...identity, size: -1 },
        { ...identity, mtime_ns: 1 },
        { ...identity, ctime_ns: "1.5" },
        { ...identity, inode: "-1" },
        { ...identity, device: "" },
        null,
      ],
    ],
    md5: [fileComplete, "md5", ["", MD5.slice(1), `${MD5}0`, MD5.toUpperCase(), null]],
    sha256: [fileComplete, "sha256", ["", MD5, SHA256.toUpperCase(), null]],
    checksum: [request, "checksum", ["sha1", "MD5", "", null]],
    code: [fileError, "code", ["", "internal_error", "checksum_mismatch", "storage_full", null]],
    "error text": [fileError, "message", ["x".repeat(1025), 1, null]],
    "download id": [request, "download_id", ["", "1", "../x", null]],
    path: [request, "file_path", ["", "a\0b", "x".repeat(4097), 1, null]],
    "max offset": [request, "max_offset", [-1, tooLarge, "10", null]],
    resume: [request, "resume", [{}, { ...request.resume, prefix_md5: "x" }, null]],
  };

  test.each(Object.entries(wrong))("%s", (_, [message, field, values]) => {
    const parse = message === request ? parseServerMessage : parseClientMessage;
    for (const value of values) {
      const error = refusal(parse, JSON.stringify({ ...message, [field]: value }));
      expect(error.code).toBe("protocol_error");
      expect(error.message).toMatch(new RegExp(`^${field}[.:]`));
    }
  });
});

test("a server that asks for no checksum by name wants the MD5", () => {
  const message = parseServerMessage(JSON.stringify({ ...request, checksum: undefined }));
  expect(message).toMatchObject({ checksum: "md5" });
});

test("no refusal repeats a secret", () => {
  const secrets = { key: "s3cret-key", enroll_token: "s3cret-token" };
  const texts = [
    { ...register, client_id: `../${secrets.enroll_token}` },
    { ...register, key: [secrets.key] },
    { ...register, key: secrets.key.repeat(60) },
    { ...register, enroll_token: { value: secrets.enroll_token } },
    { ...register, type: secrets.key },
    { ...register, chunk_size: secrets.key },
  ].map((message) => JSON.stringify(message));
  for (const text of [...texts, texts[0]!.slice(0, -1), `${secrets.key}{`]) {
    const { message, cause } = refusal(parseClientMessage, text);
    expect(message).not.toContain("s3cret");
    expect(cause).toBeUndefined();
  }
});
