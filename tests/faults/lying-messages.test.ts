import { describe, setDefaultTimeout, test } from "bun:test";
import { BYTES, CHUNK, expectRefused, type Lie, useLiars } from "../support/liars.ts";
import { REGISTER } from "../support/scripted-client.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useLiars();

/* Clients that send messages which violate the protocol. */

const KiB = 1024;

describe("a client that breaks the protocol is told how, and its download waits for another try", () => {
  const start: Lie = (client, request) => client.start(request, BYTES);
  const firstChunk = BYTES.subarray(0, CHUNK);

  test.each<[string, Lie, RegExp]>([
    ["text junk", (c) => c.sendRaw("GET / HTTP/1.1\r\n\r\n"), /not JSON/],
    ["an unknown type", (c) => c.send({ type: "download_request" }), /type: /],
    ["a message of over 64 KiB", (c) => c.send({ type: "x".repeat(64 * KiB) }), /too long/],
    ["register once more", (c) => c.send(REGISTER), /register came twice/],
    [
      "file_start twice",
      (c, r) => {
        start(c, r);
        start(c, r);
      },
      /file_start came at the wrong time/,
    ],
    ["a negative size", (c, r) => c.start(r, BYTES, { total_size: -1 }), /total_size: /],
    ["a size of no whole number", (c, r) => c.start(r, BYTES, { total_size: 1.5 }), /total_size: /],
    [
      "a size beyond all numbers",
      (c, r) => c.start(r, BYTES, { total_size: 2 ** 60 }),
      /total_size: /,
    ],
    ["a size that is text", (c, r) => c.start(r, BYTES, { total_size: "5" }), /total_size: /],
    [
      "more than the file has",
      (c, r) => c.start(r, BYTES, { total_size: BYTES.length + 1 }),
      /more bytes than the file has/,
    ],
    ["no identity", (c, r) => c.start(r, BYTES, { identity: null }), /identity: /],
    ["an offset of its own", (c, r) => c.start(r, BYTES, { offset: 5 }), /begins at 5, expected 0/],
    ["a negative offset", (c, r) => c.start(r, BYTES, { offset: -5 }), /offset: /],
    [
      "file_complete before file_start",
      (c, r) => c.complete(r, BYTES),
      /file_complete came at the wrong time/,
    ],
    [
      "file_complete too early",
      (c, r) => {
        start(c, r);
        c.sendFrames(r, firstChunk);
        c.complete(r, BYTES);
      },
      /65536 of 196613 came/,
    ],
    [
      "file_complete of another size",
      (c, r) => {
        start(c, r);
        c.sendFrames(r, BYTES);
        c.complete(r, BYTES, { total_size: 5 });
      },
      /says 5 bytes/,
    ],
    ["an MD5 that is none", (c, r) => c.complete(r, BYTES, { md5: "d41d8cd9" }), /md5: /],
    ["an error that nobody knows", (c, r) => c.fail(r, "out_of_paper"), /code: /],
    ["an error that is the server's own", (c, r) => c.fail(r, "storage_full"), /code: /],
    [
      "an error of too many words",
      (c, r) => c.fail(r, "file_not_found", "x".repeat(1025)),
      /message: /,
    ],
  ])("%s", (_, lie, reason) => expectRefused(lie, reason));
});
