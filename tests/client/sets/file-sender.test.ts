import { afterEach, beforeEach, expect, test } from "bun:test";
import * as fc from "fast-check";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Allowance } from "../../../lib/client/owner-rules/allowance.ts";
import { Roots } from "../../../lib/client/owner-rules/roots.ts";
import { SendScheduler } from "../../../lib/client/send-scheduler.ts";
import { FileSender } from "../../../lib/client/sets/file-sender.ts";
import { FrameBuilder } from "../../../lib/client/sets/frame-builder.ts";
import { FrameOutlet } from "../../../lib/client/sets/frame-outlet.ts";
import { SetFiles } from "../../../lib/client/sets/set-files.ts";
import { decodeFrame } from "../../../lib/protocol/frame.ts";
import type { WantedFile } from "../../../lib/protocol/messages.ts";
import { readRecords } from "../../../lib/protocol/set-records.ts";
import { TokenBucket } from "../../../lib/util/token-bucket.ts";

/* The bytes that a sender sends of each file, while it already opens and reads the next file. */

const CHUNK = 1024 * 1024;

let site: string;

beforeEach(async () => void (site = await mkdtemp(join(tmpdir(), "fds-file-sender-"))));
afterEach(() => rm(site, { recursive: true }));

const wanted = (index: number): WantedFile => ({ index, path: `${index}`, root: 0 });

/**
 * Sends files. @param orders each wanted file, with the file announced as next @returns the bytes of each
 * file as sent
 */
async function send(orders: { want: WantedFile; next?: WantedFile }[], chunkSize = CHUNK) {
  const frames: Uint8Array[] = [];
  const socket = {
    bufferedAmount: 0,
    send: (data: string | Uint8Array) => void frames.push(new Uint8Array(Buffer.from(data))),
  };
  const scheduler = new SendScheduler(socket, new TokenBucket(null));
  const stream = { stream: 1, epoch: 1, chunkSize, maxOffset: Infinity };
  const builder = new FrameBuilder(
    new FrameOutlet({ ...stream, scheduler, compressor: null }),
    () => true,
  );
  using files = new SetFiles(await (await Roots.open([site])).pathCheck());
  const sender = new FileSender({
    files,
    frames: builder,
    checksum: "md5",
    isWanted: () => true,
    progressReporter: () => () => true,
    allowance: new Allowance(null),
  });
  for (const [number, { want, next }] of orders.entries()) {
    await sender.send(want, number, undefined, next);
  }
  await builder.flush();
  await sender.close();
  const sent: { index: number; pieces: Uint8Array[] }[] = [];
  for (const frame of frames) {
    for (const record of readRecords(decodeFrame(frame, chunkSize).payload)) {
      if (record.type === "start") sent.push({ index: record.index, pieces: [] });
      if (record.type === "data") sent.at(-1)?.pieces.push(record.bytes);
    }
  }
  return sent.map(({ index, pieces }) => ({ index, bytes: Buffer.concat(pieces) }));
}

/** Makes files that are named by their numbers. @returns their bytes */
function filesOf(...sizes: number[]): Promise<Buffer[]> {
  return Promise.all(
    sizes.map(async (size, index) => {
      const bytes = randomBytes(size);
      await writeFile(join(site, `${index}`), bytes);
      return bytes;
    }),
  );
}

test("files come whole, large and small ones, in the order in which they are wanted", async () => {
  const files = await filesOf(2 * CHUNK + 9, 70_000, 10, CHUNK, 0, 300_000);
  const orders = files.map((_, index) => ({ want: wanted(index), next: wanted(index + 1) }));
  const sent = await send(orders);
  expect(sent.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
  for (const { index, bytes } of sent) expect(bytes.equals(files[index]!), `${index}`).toBe(true);
});

test("frames of all sizes bring files of all sizes", async () => {
  const size = fc.oneof(
    fc.nat({ max: 200_000 }),
    fc.integer({ min: CHUNK / 2 - 100, max: CHUNK / 2 + 100 }),
    fc.integer({ min: CHUNK - 100, max: CHUNK + 100_000 }),
    fc.integer({ min: 2 * CHUNK, max: 3 * CHUNK }),
  );
  const chunkSize = fc.oneof(
    fc.constant(CHUNK),
    fc.integer({ min: 4 * 1024, max: 2 * CHUNK }),
    fc.integer({ min: CHUNK / 2, max: CHUNK / 2 + 200 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(size, { minLength: 1, maxLength: 5 }),
      chunkSize,
      async (sizes, most) => {
        const files = await filesOf(...sizes);
        const orders = files.map((_, index) => ({ want: wanted(index), next: wanted(index + 1) }));
        const sent = await send(orders, most);
        expect(sent.map(({ index }) => index)).toEqual(files.map((_, index) => index));
        for (const { index, bytes } of sent) expect(bytes.equals(files[index]!)).toBe(true);
      },
    ),
    { numRuns: 20 },
  );
});

test("a file that was opened before its turn is sent for itself, not for another one", async () => {
  const files = await filesOf(CHUNK, 200_000, 300_000);
  const sent = await send([
    { want: wanted(0), next: wanted(1) },
    // File 0 is wanted again, instead of the announced file 1, as after a damaged frame.
    { want: wanted(0), next: wanted(2) },
    { want: wanted(1) },
    { want: wanted(2) },
  ]);
  expect(sent.map(({ index }) => index)).toEqual([0, 0, 1, 2]);
  for (const { index, bytes } of sent) expect(bytes.equals(files[index]!), `${index}`).toBe(true);
});
