const HEAD_END = "\r\n\r\n";
const BINARY = 2;

/** A whole WebSocket frame (RFC 6455, 5.2) as it is on the wire, masked where a client sent it. */
export interface WireFrame {
  bytes: Buffer;
  /** Where its payload begins. A bit that is changed there is changed behind the mask too. */
  payloadAt: number;
  /** It carries a chunk of a file; the others are control messages, pings and the like. */
  isBinary: boolean;
}

/** Cuts one direction of a WebSocket connection, from its first byte on, into whole frames. */
export class WireFrames {
  #rest: Buffer = Buffer.alloc(0);
  #isOpen = false;

  /** @param change gives what is sent in place of a frame */
  constructor(private readonly change: (frame: WireFrame) => Buffer[]) {}

  /** @returns what is to be sent now */
  take(bytes: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const out = this.#isOpen ? [] : this.#handshake();
    for (let frame = this.#next(); frame; frame = this.#next()) out.push(...this.change(frame));
    return out;
  }

  /** What comes before the first frame, once all of it is there. */
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
    // The last 6 bytes of 8 hold any length that there is.
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
