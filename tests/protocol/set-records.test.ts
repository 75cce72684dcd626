import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { FdsError } from "../../lib/protocol/errors.ts";
import {
  readRecords,
  recordLength,
  type SetRecord,
  writeRecord,
} from "../../lib/protocol/set-records.ts";

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const byteCount = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((digest) => digest.toHex());
const text = fc.string({ unit: "grapheme", maxLength: 40 });

const record: fc.Arbitrary<SetRecord> = fc.oneof(
  fc.record({
    type: fc.constant("start" as const),
    index: uint32,
    size: byteCount,
    mtimeNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    offset: byteCount,
  }),
  fc.record({ type: fc.constant("data" as const), bytes: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({
    type: fc.constant("end" as const),
    changed: fc.boolean(),
    digest: fc.oneof(hex(16), hex(32)),
  }),
  fc.record({ type: fc.constant("skip" as const), index: uint32, code: text, message: text }),
);

function frameOf(records: SetRecord[]): Uint8Array {
  const frame = new Uint8Array(records.reduce((sum, each) => sum + recordLength(each), 0));
  let at = 0;
  for (const each of records) at = writeRecord(frame, at, each);
  return frame;
}

describe("the records of a frame", () => {
  test("come out as they went in", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), (records) => {
        expect([...readRecords(frameOf(records))]).toEqual(records);
      }),
    );
  });

  test("that are cut, or changed, are refused or read, and nothing else", () => {
    const anyRecords = fc.array(record, { minLength: 1, maxLength: 4 });
    const change = fc.record({
      at: fc.nat(),
      byte: fc.integer({ min: 0, max: 255 }),
      cut: fc.nat(),
    });
    fc.assert(
      fc.property(anyRecords, change, (records, { at, byte, cut }) => {
        const frame = frameOf(records);
        frame[at % frame.length] = byte;
        try {
          [...readRecords(frame.subarray(0, cut % (frame.length + 1)))].forEach(recordLength);
        } catch (error) {
          expect(error).toBeInstanceOf(FdsError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["an unknown type", [9], "unknown record 9"],
    ["a length beyond the frame", [2, 0, 0, 0, 5, 1], "reaches beyond its frame"],
    ["a flag that is none", [3, 7, 0], "a flag is 7"],
    ["a size over 2^53", [1, 0, 0, 0, 0, 255, ...Array(23).fill(0)], "out of range"],
  ])("%s is refused in words", (_, bytes, reason) => {
    expect(() => [...readRecords(Uint8Array.from(bytes))]).toThrow(reason);
  });
});
