import { FdsError } from "./errors.ts";

/*
 * A frame on the wire: a header with the fields below, big-endian, then the payload. The raw bytes are the
 * uncompressed bytes of the stream, which carries a file, a set or a listing.
 *
 *   0  u8   version         18  u32  raw length (number of raw bytes)
 *   1  u8   flags           22  u32  wire length (number of payload bytes)
 *   2  u32  stream          26  u32  CRC-32 of the raw bytes
 *   6  u32  epoch           30  u32  CRC-32 of the 30 bytes before it
 *  10  u64  offset
 *
 * Flags: bit 0 means that the payload is the raw bytes compressed with zstd, and shorter than these.
 */
export const HEADER_BYTES = 34;
const FRAME_VERSION = 1;
const HEADER_CRC_AT = 30;
const ZSTD = 1;

/** Which bytes of which stream a frame carries. */
export interface FrameAddress {
  /** Number of the stream on its connection. A download or a listing is one stream. */
  stream: number;
  /** Number of the attempt. The receiver drops frames of earlier attempts. */
  epoch: number;
  /**
   * Offset of the frame's first uncompressed byte: in the file, or in the whole stream for a set or a
   * listing.
   */
  offset: number;
}

interface FrameContent extends FrameAddress {
  /** The number of uncompressed bytes in the frame. */
  rawLength: number;
  /** The payload as received. */
  payload: Uint8Array;
}

/** A frame with uncompressed bytes. */
export interface RawFrame extends FrameContent {
  compressed: false;
  /** Whether the payload matches its CRC. If not, the receiver asks for the frame again. */
  intact: boolean;
}

/** A frame with bytes compressed by zstd. Whether they are intact is known only after decompression. */
export interface CompressedFrame extends FrameContent {
  compressed: true;
  /** CRC-32 of the uncompressed bytes. */
  crc: number;
}

export type Frame = RawFrame | CompressedFrame;

/**
 * Returns the header and the payload of a frame in one buffer.
 * @param raw the uncompressed bytes
 * @param packed the same bytes compressed with zstd, and shorter, to be sent instead; null to send `raw`
 */
export function encodeFrame(
  address: FrameAddress,
  raw: Uint8Array,
  packed: Uint8Array | null = null,
): Uint8Array<ArrayBuffer> {
  const payload = packed ?? raw;
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  bytes.set(payload, HEADER_BYTES);
  writeHeader(address, raw, packed, bytes);
  return bytes;
}

/**
 * Encodes an uncompressed frame without copying its bytes. The header is written over the {@link
 * HEADER_BYTES} bytes that precede `raw` in its buffer.
 */
export function encodeInPlace(
  address: FrameAddress,
  raw: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const length = HEADER_BYTES + raw.length;
  const bytes = new Uint8Array(raw.buffer, raw.byteOffset - HEADER_BYTES, length);
  writeHeader(address, raw, null, bytes);
  return bytes;
}

function writeHeader(
  address: FrameAddress,
  raw: Uint8Array,
  packed: Uint8Array | null,
  bytes: Uint8Array,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  view.setUint8(0, FRAME_VERSION);
  view.setUint8(1, packed ? ZSTD : 0);
  view.setUint32(2, address.stream);
  view.setUint32(6, address.epoch);
  view.setBigUint64(10, BigInt(address.offset));
  view.setUint32(18, raw.length);
  view.setUint32(22, (packed ?? raw).length);
  view.setUint32(26, Bun.hash.crc32(raw));
  view.setUint32(HEADER_CRC_AT, Bun.hash.crc32(bytes.subarray(0, HEADER_CRC_AT)));
}

/**
 * Decodes a frame. The payload is a view of `bytes`, not a copy.
 * @param maxRaw the agreed limit of uncompressed bytes in a frame
 * @throws FdsError `protocol_error` if the header is invalid. A payload that does not match its CRC is
 *   reported by {@link RawFrame.intact} instead.
 */
export function decodeFrame(bytes: Uint8Array, maxRaw: number): Frame {
  if (bytes.length < HEADER_BYTES)
    throw protocolError(`a frame of ${bytes.length} bytes has no whole header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(HEADER_CRC_AT) !== Bun.hash.crc32(bytes.subarray(0, HEADER_CRC_AT))) {
    throw protocolError("the frame's header does not match its CRC");
  }
  const version = view.getUint8(0);
  if (version !== FRAME_VERSION) throw protocolError(`unknown frame version ${version}`);
  const flags = view.getUint8(1);
  if ((flags & ~ZSTD) !== 0) throw protocolError(`unknown frame flags ${flags}`);
  const compressed = flags === ZSTD;
  const payload = bytes.subarray(HEADER_BYTES);
  const rawLength = view.getUint32(18);
  const wireLength = view.getUint32(22);
  if (wireLength !== payload.length) {
    throw protocolError(`the frame says ${wireLength} bytes and carries ${payload.length}`);
  }
  if (payload.length === 0) throw protocolError("the frame is empty");
  if (compressed ? wireLength >= rawLength : wireLength !== rawLength) {
    throw protocolError(`the frame says ${wireLength} bytes for ${rawLength} of the file`);
  }
  if (rawLength > maxRaw) {
    throw protocolError(`a frame of ${rawLength} bytes is over the agreed ${maxRaw}`);
  }
  const offset = view.getBigUint64(10);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER) - BigInt(rawLength)) {
    throw protocolError(`the frame's offset ${offset} is out of range`);
  }
  const crc = view.getUint32(26);
  const frame = {
    stream: view.getUint32(2),
    epoch: view.getUint32(6),
    offset: Number(offset),
    rawLength,
    payload,
  };
  return compressed
    ? { ...frame, compressed, crc }
    : { ...frame, compressed, intact: crc === Bun.hash.crc32(payload) };
}

function protocolError(message: string): FdsError {
  return new FdsError("protocol_error", message);
}
