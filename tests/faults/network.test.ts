import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { SEED } from "./seeds.ts";
import type { Proxy } from "../support/proxy.ts";
import type { WireFrame } from "../support/proxy/websocket-frames.ts";
import { Random } from "../support/random.ts";

import { delivered, KiB, MiB, setStage } from "./stage.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/** Chunk size for tests that need many frames, in bytes. */
const CHUNK = 64 * KiB;
const SMALL_CHUNKS = { CHUNK_SIZE: String(CHUNK) };
/** Size of a frame's header, in bytes; see lib/protocol/README.md. */
const HEADER_BYTES = 34;

describe("the client is back before its old socket is seen dead:", () => {
  test.concurrent.each([
    ["row 11: which stays silent", false],
    ["row 12: which comes to life again", true],
  ])("%s", async (_, comesAgain) => {
    await using stage = await setStage({ size: 16 * MiB });
    const { system, proxy, client, invariants } = stage;
    const lost = proxy.after("up", 4 * MiB, () => {
      proxy.links[0]?.hold("up", "down");
      client.signal("SIGKILL");
    });
    const downloadId = await system.pull("file");
    await lost;
    const [old] = proxy.links;
    const again = proxy.after("up", 4 * MiB, () => comesAgain && old?.release("up", "down"));
    await client.restart();
    await again;
    await invariants.expectAll(delivered(downloadId, stage, 1));
    expect(await system.api.download(downloadId)).toMatchObject({ attempts: 2 });
    const told = system.server.log().map(({ message }) => message);
    expect(told.filter((message) => /dropped|two machines/.test(message))).toEqual([]);
  });
});

test.concurrent("row 13: a bit flipped in a payload", async () => {
  await using stage = await setStage({ size: 8 * MiB });
  const { system, proxy, wanted, invariants } = stage;
  // Offsets in the first chunk, in one in the middle, and in the last one, after which no other frame
  // follows. WebSocket masks by XOR, so a bit flipped on the wire is the same bit flipped in the file.
  const offsets = [4 * KiB, 4 * MiB, 8 * MiB - 4 * KiB];
  const ids = [];
  for (const offset of offsets) {
    void proxy.after("up", offset, (next) => (next[0]! ^= 1));
    ids.push(await system.pull("file"));
    expect(await system.ended(ids.at(-1)!)).toMatchObject({ attempts: 1 });
  }
  await invariants.expectAll({ wanted: new Map(ids.map((id) => [id, wanted])), breaks: 3 });
  const damaged = system.server.log().filter(({ message }) => /came damaged/.test(message));
  expect(damaged).toHaveLength(3);
  expect(damaged[0]).toMatchObject({ offset: 0 });
});

/** Returns the frames to send in place of a frame and the one after it. */
type Tampering = (frames: [Buffer, Buffer]) => Buffer[];

/** Makes a rewrite function that tampers once: with the n-th matching frame and the frame after it. */
function tamperOnce(n: number, isMeant: (frame: WireFrame) => boolean, tampering: Tampering) {
  let count = 0;
  let held: Buffer | undefined;
  return (frame: WireFrame): Buffer[] => {
    if (held) {
      const both = tampering([held, frame.bytes]);
      held = undefined;
      return both;
    }
    if (!isMeant(frame) || ++count !== n) return [frame.bytes];
    held = frame.bytes;
    return [];
  };
}

const TAMPERINGS: Record<string, Tampering> = {
  repeated: ([one, next]) => [one, one, next],
  reordered: ([one, next]) => [next, one],
  missing: ([, next]) => [next],
};

test.concurrent.each([1, 2, 3])(
  `row 14: a bit flipped in a header, sample %i (FDS_SEED=${SEED})`,
  async (sample) => {
    const random = new Random(SEED + sample);
    const bit = random.int(0, HEADER_BYTES * 8 - 1);
    let frames = 0;
    const flipped = random.int(1, 60);
    const flip = ({ bytes, payloadAt, isBinary }: WireFrame) => {
      if (isBinary && ++frames === flipped) bytes[payloadAt + (bit >> 3)]! ^= 1 << (bit & 7);
      return [bytes];
    };
    const prepare = { prepare: (proxy: Proxy) => proxy.rewrite("up", flip) };
    await using stage = await setStage({ size: 8 * MiB, env: SMALL_CHUNKS, ...prepare });
    const { system, invariants } = stage;
    const downloadId = await system.pull("file");
    await system.server.waitForLine(/protocol broken/);
    await invariants.expectSafe();
    await invariants.expectAll(delivered(downloadId, stage, 1));
  },
);

describe("row 15:", () => {
  test.concurrent.each(Object.entries(TAMPERINGS))(
    `a frame %s (FDS_SEED=${SEED})`,
    async (_, tampering) => {
      const n = new Random(SEED).int(2, 60);
      const change = tamperOnce(n, ({ isBinary }) => isBinary, tampering);
      const prepare = (proxy: Proxy) => proxy.rewrite("up", change);
      await using stage = await setStage({ size: 8 * MiB, env: SMALL_CHUNKS, prepare });
      const { system, invariants } = stage;
      const downloadId = await system.pull("file");
      await system.server.waitForLine(/protocol broken/);
      await invariants.expectSafe();
      await invariants.expectAll(delivered(downloadId, stage, 1));
    },
  );

  test.concurrent.each(["repeated", "reordered"])(
    `a message of the server %s (FDS_SEED=${SEED})`,
    async (what) => {
      // The number of the message to tamper with. The first one is `registered`, later ones are requests
      // and credits.
      const n = new Random(SEED).int(2, 8);
      const change = tamperOnce(n, () => true, TAMPERINGS[what]!);
      const prepare = (proxy: Proxy) => proxy.rewrite("down", change);
      await using stage = await setStage({ size: 8 * MiB, env: SMALL_CHUNKS, prepare });
      const downloadId = await stage.system.pull("file");
      await stage.invariants.expectAll(delivered(downloadId, stage, 1));
    },
  );
});

test.concurrent("row 16: the stream split at every byte", async () => {
  await using stage = await setStage({
    size: 100 * KiB,
    env: { CHUNK_SIZE: String(4 * KiB) },
    prepare: (proxy) => proxy.shape({ pieceBytes: 1 }),
  });
  const downloadId = await stage.system.pull("file");
  await stage.invariants.expectAll(delivered(downloadId, stage, 0));
  expect(await stage.system.api.download(downloadId)).toMatchObject({ attempts: 1 });
});
