import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type SetRecord } from "../../lib/protocol/set-records.ts";
import { md5 } from "../support/scripted-client.ts";
import { BYTE, CHUNK, end, Liar, system, useSetLiars } from "../support/set-liars.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useSetLiars();

/* Row 65 of the fault table: clients that lie about the files of a set, or make no progress with them. */

const MiB = 1024 * 1024;

const start = (fields: object = {}): SetRecord =>
  ({ type: "start", index: 0, size: 1, mtimeNs: 1n, offset: 0, ...fields }) as SetRecord;
const data = (bytes = BYTE): SetRecord => ({ type: "data", bytes });

const skip = (fields: object = {}): SetRecord =>
  ({ type: "skip", index: 0, code: "file_unreadable", message: "no", ...fields }) as SetRecord;

describe("row 65: files of a set", () => {
  test.each<[string, (liar: Liar) => void, RegExp]>([
    ["that are not owed", (l) => l.records(start({ index: 1 })), /file 1 of a set came, 0 is owed/],
    ["that are on no list", (l) => l.records(skip({ index: 4e9 })), /is owed/],
    ["more than once", (l) => l.records(start(), data(), end(), start()), /is owed|no|1 is owed/],
    ["of bytes without a file", (l) => l.records(data()), /bytes came before/],
    ["that end before they begin", (l) => l.records(end()), /ended before it began/],
    ["that are longer than they say", (l) => l.records(start(), data(), data()), /more bytes/],
    [
      "that are shorter than they say",
      (l) => l.records(start({ size: 2 }), data(), end()),
      /ended/,
    ],
    ["that begin in their middle", (l) => l.records(start({ size: 9, offset: 5 })), /begins at 5/],
    ["that begin behind their end", (l) => l.records(start({ offset: 9 })), /begins at 9/],
    ["that go on elsewhere", (l) => l.records(start(), start({ offset: 1 })), /goes on at 1/],
    ["in records of nothing", (l) => l.records(start(), data(new Uint8Array(0))), /no bytes/],
    ["in records of no kind", (l) => l.frames(new Uint8Array([9])), /unknown record 9/],
    ["in a part of a record", (l) => l.frames(new Uint8Array([1, 0])), /beyond its frame/],
    ["whose bytes are none", (l) => l.frames(new Uint8Array([2, 255, 255, 255, 255])), /beyond/],
    ["of all bytes there are", (l) => l.records(start({ size: 2 ** 53 - 1 })), /^set_too_large/],
    ["of more bytes than the disk has", (l) => l.records(start({ size: 8e15 })), /^storage_full/],
    ["beyond what was granted", (l) => l.beyond(), /bytes granted/],
  ])("%s: the set fails", async (_, lie, why) => {
    await using liar = await Liar.asked();
    await liar.wanted({ path: "a/x" }, { path: "a/y" });
    lie(liar);
    expect(await liar.failure()).toMatch(why);
  });

  test("with a digest that is wrong are wanted again, and skipped in the end", async () => {
    await using liar = await Liar.asked();
    await liar.wanted({ path: "a/x" });
    for (let n = 0; n < 3; n++) {
      if (n > 0) await liar.client.next("set_want");
      liar.records(start(), data(), end({ digest: "00".repeat(16) }));
    }
    expect(await liar.failure()).toMatch(/^checksum_mismatch/);
  });

  test("with other sizes than were listed count once, however often they come", async () => {
    await using liar = await Liar.asked({ max_bytes: 12 });
    await liar.wanted({ path: "a/x" });
    const bytes = new Uint8Array(8);
    for (let n = 0; n < 3; n++) {
      if (n > 0) await liar.client.next("set_want");
      liar.records(start({ size: 8 }), data(bytes), end({ changed: n < 2, digest: md5(bytes) }));
    }
    const record = await system.ended(liar.downloadId);
    expect(record).toMatchObject({ status: "completed", total_size: 8, bytes_received: 8 });
    await rm(join(system.folder, "downloads", record.client_id), { recursive: true });
  });

  test("that grow over what the set may have fail it", async () => {
    await using liar = await Liar.asked({ max_bytes: 12 });
    await liar.wanted({ path: "a/x" });
    liar.records(start({ size: 13 }));
    expect(await liar.failure()).toMatch(/^set_too_large/);
  });

  test("whose bits are flipped again and again fail it", async () => {
    await using liar = await Liar.asked();
    await liar.wanted({ path: "a/x" });
    for (let n = 0; n < 4; n++) {
      liar.flipped(start(), data());
      if (n < 3) await liar.client.next("resend");
    }
    expect(await liar.failure()).toMatch(/^protocol_error: .*damaged 4 times/);
  });

  test("that are skipped for a reason of the server's own are told as unreadable", async () => {
    await using liar = await Liar.asked();
    await liar.wanted({ path: "a/x" });
    liar.records(skip({ code: "storage_full", message: "m".repeat(60_000) }));
    expect(await liar.failure()).toMatch(/^file_unreadable: m{1024}$/);
  });
});

describe("row 65: a set that comes no further keeps nobody from the only slot", () => {
  test.each<[string, (liar: Liar, n: number) => void]>([
    ["while it says that it reads again", (l, n) => l.say({ type: "proving", offset: n * MiB })],
    [
      "while its file begins again and again",
      (l) => l.records(start({ size: CHUNK }), data(new Uint8Array(CHUNK / 2))),
    ],
  ])("%s", async (_, lie) => {
    await using crowded = await System.start({ ENROLL_TOKEN: "", MAX_ACTIVE_DOWNLOADS: "1" });
    await writeRandom(crowded.source("honest.bin"), MiB);
    await crowded.startClient({ id: "honest" });
    await using liar = await Liar.asked({}, crowded);
    await liar.wanted({ path: "a/x" });
    let lies = 0;
    const timer = setInterval(() => lie(liar, ++lies), 50);
    try {
      const record = await crowded.ended(await crowded.pull("honest.bin", "honest"));
      expect(record).toMatchObject({ status: "completed" });
      expect(await liar.failure()).toMatch(/^client_timeout: the client sent .* others wait/);
    } finally {
      clearInterval(timer);
    }
  });
});
