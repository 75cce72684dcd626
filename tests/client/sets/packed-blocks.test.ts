import { expect, test } from "bun:test";
import { PackedBlocks } from "../../../lib/client/sets/packed-blocks.ts";
import { Random } from "../../support/random.ts";

test("any part of what was added comes back, over the borders of blocks and in any order", () => {
  const random = new Random(7);
  const blocks = new PackedBlocks();
  const all: Buffer[] = [];
  for (let n = 0; n < 50; n++) {
    const line = Buffer.from(`folder/${"file".repeat(random.int(1, 20))}-${n}\n`);
    all.push(line);
    blocks.add(new Uint8Array(line));
  }
  // Adds an empty block, as from a set without files.
  blocks.add(new Uint8Array(0));
  const whole = Buffer.concat(all);
  expect(blocks.length).toBe(whole.length);
  for (let n = 0; n < 500; n++) {
    const offset = random.int(0, whole.length);
    const target = new Uint8Array(random.int(0, 400));
    const copied = blocks.copy(offset, target);
    const expected = whole.subarray(offset, offset + target.length);
    expect(Buffer.from(target.subarray(0, copied))).toEqual(expected);
  }
});
