import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { encodeFrame } from "../../lib/protocol/frame.ts";
import { MAX_STREAMS } from "../../lib/protocol/messages.ts";
import { MAX_PATTERNS } from "../../lib/protocol/patterns.ts";
import {
  acceptAgain,
  connection,
  expectHonestTransferWorks,
  reply,
  newStream,
  useLyingServer,
} from "../support/lying-server.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useLyingServer();

/*
 * The real client with a server that violates the protocol. The client must close the connection and connect
 * again.
 */

describe("a server that breaks the protocol loses the client, which comes back", () => {
  const request = {
    type: "download_request",
    stream: 1,
    epoch: 1,
    download_id: "0198c0de-0000-7000-8000-000000000000",
    file_path: "data.bin",
    chunk_size: 65_536,
    offset: 0,
    max_offset: 1,
  };

  test.each<[string, string | Uint8Array<ArrayBuffer>, number]>([
    ["with junk", "hello", 1002],
    ["with an unknown type", '{"type":"format_disk"}', 1002],
    ["with a message of a client", '{"type":"proving","stream":1,"epoch":1,"offset":0}', 1002],
    ["with a frame", encodeFrame({ stream: 1, epoch: 1, offset: 0 }, new Uint8Array(5)), 1002],
    ["with a message of over 64 KiB", JSON.stringify("x".repeat(65_536)), 1009],
    [
      "with a path that holds a NUL",
      JSON.stringify({ ...request, file_path: "data.bin\0.txt" }),
      1002,
    ],
    [
      "with a path that is too long",
      JSON.stringify({ ...request, file_path: "x".repeat(4097) }),
      1002,
    ],
    ["with no path", JSON.stringify({ ...request, file_path: undefined }), 1002],
    ["with a negative offset", JSON.stringify({ ...request, offset: -1 }), 1002],
    ["with an offset of 60 bits", JSON.stringify({ ...request, offset: 2 ** 60 }), 1002],
    ["with a chunk size of nothing", JSON.stringify({ ...request, chunk_size: 0 }), 1002],
    ["with a chunk size over 8 MiB", JSON.stringify({ ...request, chunk_size: 2 ** 30 }), 1002],
  ])("%s", async (_, data, code) => {
    // A completed transfer resets the client's backoff, so that it connects again soon.
    await expectHonestTransferWorks();
    connection.sendRaw(data);
    expect((await connection.closed).code).toBe(code);
    await acceptAgain();
    await connection.admit();
    await expectHonestTransferWorks();
  });

  test("with a stream that is in use, also for the one that uses it", async () => {
    await expectHonestTransferWorks();
    const stream = newStream();
    connection.request(stream, "data.bin", { max_offset: 1000 });
    connection.request(stream, "data.bin", { max_offset: 1000 });
    expect((await connection.closed).code).toBe(1002);
    await acceptAgain();
    await connection.admit();
    await expectHonestTransferWorks();
  });

  test("with more requests than one client can have open", async () => {
    await expectHonestTransferWorks();
    for (let more = 0; more <= 2 * MAX_STREAMS; more++) {
      connection.request(newStream(), "data.bin", { max_offset: 0 });
    }
    expect((await connection.closed).code).toBe(1002);
    await acceptAgain();
    await connection.admit();
    await expectHonestTransferWorks();
  });

  test("with more patterns than a set may have", async () => {
    await expectHonestTransferWorks();
    const set = { stream: newStream(), epoch: 1 };
    const download_id = "0198c0de-0000-7000-8000-000000000000";
    const options = { checksum: "md5", chunk_size: 65_536, max_offset: 1000 };
    connection.send({ type: "set_request", ...set, download_id, ...options });
    for (let more = 0; more <= MAX_PATTERNS; more++) {
      connection.send({ type: "set_select", ...set, include: [`*.${more}`], exclude: [] });
    }
    expect((await connection.closed).code).toBe(1002);
    await acceptAgain();
    await connection.admit();
    await expectHonestTransferWorks();
  });

  test("also when the connection ends in the middle of a file", async () => {
    await expectHonestTransferWorks();
    const stream = newStream();
    connection.request(stream, "data.bin", { max_offset: 1000 });
    await reply("file_start", stream);
    connection.close(1011, "internal_error");
    await acceptAgain();
    await connection.admit();
    await expectHonestTransferWorks();
  });
});
