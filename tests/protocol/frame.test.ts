import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { FdsError } from "../../lib/protocol/errors.ts";
import { decodeFrame, encodeFrame, HEADER_BYTES } from "../../lib/protocol/frame.ts";

const MAX_PAYLOAD = 64 * 1024;
const UINT32_MAX = 0xffff_ffff;
const address = { stream: 7, epoch: 3, offset: 1024 };
const payload = new TextEncoder().encode("seven bytes and more");

/** Returns a frame with a changed header and a matching CRC: its content is wrong, but it is not damaged. */
function forged(change: (header: DataView) => void): Uint8Array {
  const bytes = encodeFrame(address, payload);
  const header = new DataView(bytes.buffer);
  change(header);
  header.setUint32(30, Bun.hash.crc32(bytes.subarray(0, 30)));
  return bytes;
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

function refusal(bytes: Uint8Array, maxPayload = MAX_PAYLOAD): FdsError {
  try {
    decodeFrame(bytes, maxPayload);
  } catch (error) {
    if (error instanceof FdsError) return error;
    throw error;
  }
  throw new Error("the frame was not refused");
}

describe("a frame", () => {
  test("comes out as it went in", () => {
    const anyAddress = fc.record({
      stream: fc.integer({ min: 0, max: UINT32_MAX }),
      epoch: fc.integer({ min: 0, max: UINT32_MAX }),
      offset: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - MAX_PAYLOAD }),
    });
    const anyPayload = fc.uint8Array({ minLength: 1, maxLength: MAX_PAYLOAD });
    fc.assert(
      fc.property(anyAddress, anyPayload, (sent, body) => {
        const frame = decodeFrame(encodeFrame(sent, body), MAX_PAYLOAD);
        const rawLength = body.length;
        const rest = { rawLength, payload: body, compressed: false, intact: true } as const;
        expect(frame).toEqual({ ...sent, ...rest });
      }),
    );
  });

  test.each([
    ["the smallest address", { stream: 0, epoch: 0, offset: 0 }],
    [
      "the largest address",
      { stream: UINT32_MAX, epoch: UINT32_MAX, offset: Number.MAX_SAFE_INTEGER - payload.length },
    ],
  ])("carries %s", (_, edge) => {
    expect(decodeFrame(encodeFrame(edge, payload), MAX_PAYLOAD)).toMatchObject(edge);
  });

  test("is laid out as documented", () => {
    const bytes = encodeFrame({ stream: 0x01020304, epoch: 5, offset: 2 ** 40 }, payload);
    const fields = ["0100", "01020304", "00000005", "0000010000000000", "00000014", "00000014"];
    expect(Buffer.from(bytes.subarray(0, 26)).toString("hex")).toBe(fields.join(""));
    expect(bytes.subarray(HEADER_BYTES)).toEqual(payload);
  });

  test("carries bytes in compressed form, with the length and the CRC of the bytes", () => {
    const raw = new Uint8Array(5000).fill(7);
    const packed = Bun.zstdCompressSync(raw);
    const bytes = encodeFrame(address, raw, packed);
    expect(bytes[1]).toBe(1);
    expect(bytes).toHaveLength(HEADER_BYTES + packed.length);
    expect(decodeFrame(bytes, raw.length)).toEqual({
      ...address,
      rawLength: 5000,
      payload: new Uint8Array(packed),
      compressed: true,
      crc: Bun.hash.crc32(raw),
    });
    expect(refusal(bytes, raw.length - 1).message).toContain("over the agreed 4999");
  });

  test("is read from the middle of a larger buffer, without a copy", () => {
    const bytes = encodeFrame(address, payload);
    const buffer = new Uint8Array(bytes.length + 20);
    buffer.set(bytes, 13);
    const frame = decodeFrame(buffer.subarray(13, 13 + bytes.length), MAX_PAYLOAD);
    expect(frame).toMatchObject({ ...address, payload, intact: true });
    expect(frame.payload.buffer).toBe(buffer.buffer);
  });

  test("may be as long as was agreed", () => {
    const frame = decodeFrame(encodeFrame(address, payload), payload.length);
    expect(frame).toMatchObject({ intact: true });
  });
});

describe("a damaged frame", () => {
  const bytes = encodeFrame(address, payload);

  test("is refused when any bit of its header is flipped", () => {
    for (let bit = 0; bit < HEADER_BYTES * 8; bit++) {
      expect(refusal(flipped(bytes, bit)).code, `bit ${bit}`).toBe("protocol_error");
    }
  });

  test("is reported when any bit of its payload is flipped", () => {
    for (let bit = HEADER_BYTES * 8; bit < bytes.length * 8; bit++) {
      const frame = decodeFrame(flipped(bytes, bit), MAX_PAYLOAD);
      expect(frame, `bit ${bit}`).toMatchObject({ ...address, intact: false });
    }
  });

  test("is refused when it is cut short anywhere", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(bytes.subarray(0, length)).code, `${length} bytes`).toBe("protocol_error");
    }
  });

  test("is refused when anything follows it", () => {
    expect(refusal(Buffer.concat([bytes, new Uint8Array(1)])).message).toContain("carries 21");
    expect(refusal(Buffer.concat([bytes, bytes])).code).toBe("protocol_error");
  });
});

describe("a frame that lies is refused", () => {
  const beyond = BigInt(Number.MAX_SAFE_INTEGER);
  test.each<[string, string, (header: DataView) => void]>([
    ["an unknown version", "version 2", (header) => header.setUint8(0, 2)],
    ["an unknown flag", "flags 2", (header) => header.setUint8(1, 2)],
    ["all flags", "flags 255", (header) => header.setUint8(1, 255)],
    ["another raw length", "20 bytes for 19", (header) => header.setUint32(18, 19)],
    ["compressed, and as long as before", "20 bytes for 20", (h) => h.setUint8(1, 1)],
    ["another wire length", "says 21 bytes", (header) => header.setUint32(22, 21)],
    ["a huge length", "says 4294967295", (header) => header.setUint32(22, UINT32_MAX)],
    ["an offset that is no safe integer", "offset", (h) => h.setBigUint64(10, beyond + 1n)],
    ["an end that is no safe integer", "offset", (h) => h.setBigUint64(10, beyond - 19n)],
    ["the largest offset", "offset", (header) => header.setBigUint64(10, 2n ** 64n - 1n)],
  ])("%s", (_, message, change) => {
    const error = refusal(forged(change));
    expect(error.code).toBe("protocol_error");
    expect(error.message).toContain(message);
  });

  test("more than was agreed", () => {
    const error = refusal(encodeFrame(address, payload), payload.length - 1);
    expect(error.message).toContain("over the agreed 19");
  });

  test("or it is a frame, whatever bytes come", () => {
    const anyBytes = fc.uint8Array({ maxLength: 4 * HEADER_BYTES });
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(refusal(bytes).code).toBe("protocol_error");
      }),
    );
  });

  test("nothing in it", () => {
    expect(refusal(encodeFrame(address, new Uint8Array(0))).message).toContain("empty");
  });
});
