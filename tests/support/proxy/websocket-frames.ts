const HEAD_END = "\r\n\r\n";
const BINARY = 2;

/** A complete WebSocket frame (RFC 6455, 5.2) in wire format. Frames from clients are masked. */
export interface WireFrame {
  bytes: Buffer;
  /** Offset of the payload. A bit flipped in a masked payload is flipped in the unmasked payload too. */
  payloadAt: number;
  /** True for a frame with file data. False for control messages, pings and other frames. */
  isBinary: boolean;
}

/** Splits one direction of a WebSocket connection into complete frames, after the HTTP handshake. */
export class WireFrames {
  #rest: Buffer = Buffer.alloc(0);
  #isOpen = false;

  /** @param change returns the bytes to send instead of a frame */
  constructor(private readonly change: (frame: WireFrame) => Buffer[]) {}

  /** Takes received bytes. @returns the bytes to send now */
  take(bytes: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const out = this.#isOpen ? [] : this.#handshake();
    for (let frame = this.#next(); frame; frame = this.#next()) out.push(...this.change(frame));
    return out;
  }

  /** Returns the HTTP head before the first frame, once it is complete. */
  #handshake(): Buffer[] {
    const end = this.#rest.indexOf(HEAD_END);
    if (end < 0) return [];
    this.#isOpen = true;
    return [this.#cutOff(end + HEAD_END.length)];
  }

  #next(): WireFrame | null {
    const rest = this.#rest;
    if (!this.#isOpen || rest.length < 2) return null;
    const short = rest[1]! & 0x7f;
    const extended = short === 127 ? 8 : short === 126 ? 2 : 0;
    const payloadAt = 2 + extended + (rest[1]! & 0x80 ? 4 : 0);
    if (rest.length < payloadAt) return null;
    // The first 2 bytes of a 64-bit length are skipped, because no real length needs them.
    const length =
      extended === 0 ? short : rest.readUIntBE(extended === 8 ? 4 : 2, extended === 8 ? 6 : 2);
    if (rest.length < payloadAt + length) return null;
    const isBinary = (rest[0]! & 0x0f) === BINARY;
    return { bytes: this.#cutOff(payloadAt + length), payloadAt, isBinary };
  }

  #cutOff(length: number): Buffer {
    const bytes = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return bytes;
  }
}
