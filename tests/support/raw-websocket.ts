import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { waitFor } from "./wait.ts";

/** The opcodes of WebSocket frames that tests use (RFC 6455, 5.2). */
export const TEXT = 1;
export const BINARY = 2;
const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** Makes an HTTP request that upgrades to a WebSocket. @param lines additional lines of the head */
export function upgradeRequest(...lines: string[]): string {
  const own = lines.some((line) => line.startsWith("Host:")) ? [] : ["Host: localhost"];
  return [
    "GET /ws HTTP/1.1",
    ...own,
    ...lines,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "",
    "",
  ].join("\r\n");
}

/**
 * Makes a WebSocket frame of a client. Its mask is 0, so that the payload stays readable.
 * @param length the length stated in the header, which may be false
 */
export function webSocketFrame(
  opcode: number,
  payload: Uint8Array | string,
  length = Buffer.byteLength(payload),
): Buffer {
  const isShort = length < 126;
  const head = Buffer.alloc(isShort ? 6 : 14);
  head.writeUInt8(0x80 | opcode, 0);
  head.writeUInt8(0x80 | (isShort ? length : 127), 1);
  if (!isShort) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.from(payload as string)]);
}

/** A WebSocket client on a plain TCP socket, which can send any bytes and flood the server. */
export class RawWebSocket implements Disposable {
  /** The status line of the response to the upgrade request. Empty before it arrived. */
  answer = "";
  #rest: Buffer = Buffer.alloc(0);
  /** The text messages received so far. */
  readonly #texts: string[] = [];
  #code: number | undefined;

  private constructor(readonly socket: Socket) {
    // The server may reset the connection, which tests expect.
    socket.on("error", () => socket.destroy());
    socket.on("data", (data: Buffer) => this.#take(data));
    socket.on("end", () => socket.destroy());
  }

  /**
   * Connects, sends bytes, and waits until the server has answered or closed.
   * @param request the first bytes to send
   */
  static async open(port: number, request: string | Buffer): Promise<RawWebSocket> {
    const socket = connect(port, "127.0.0.1");
    const raw = new RawWebSocket(socket);
    socket.write(request);
    await Promise.race([once(socket, "data"), once(socket, "close")]);
    return raw;
  }

  /** Connects, registers as a client, and waits for the message `registered`. */
  static async register(port: number, register: object): Promise<RawWebSocket> {
    const raw = await RawWebSocket.open(port, upgradeRequest());
    raw.socket.write(webSocketFrame(TEXT, JSON.stringify(register)));
    await raw.next("registered");
    return raw;
  }

  get isGone(): boolean {
    return this.socket.destroyed;
  }

  /** The code of the server's close frame. Undefined if no close frame with a code arrived. */
  get closeCode(): number | undefined {
    return this.#code;
  }

  /** Returns the latest received message of a type. Waits for one if there is none yet. */
  async next(type: string): Promise<Record<string, unknown>> {
    const text = await waitFor(
      () => this.#texts.findLast((message) => message.includes(`"type":"${type}"`)),
      `the message "${type}"`,
    );
    return JSON.parse(text);
  }

  /** Sends the same bytes again and again until the server closes, or until `most` bytes were sent. */
  async flood(bytes: Buffer, most: number): Promise<void> {
    for (let sent = 0; sent < most && !this.isGone; sent += bytes.length) {
      if (this.socket.write(bytes)) continue;
      await Promise.race([once(this.socket, "drain"), once(this.socket, "close")]);
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #take(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data]);
    if (this.answer === "") {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.answer = this.#rest.toString("latin1").split("\r\n", 1)[0]!;
      this.#rest = this.#rest.subarray(end + 4);
    }
    while (this.#takeFrame());
  }

  /** Takes one complete frame from the received bytes. @returns false if the frame is incomplete */
  #takeFrame(): boolean {
    const rest = this.#rest;
    if (rest.length < 2) return false;
    const short = rest[1]! & 0x7f;
    const at = short === 126 ? 4 : 2;
    if (rest.length < at) return false;
    const end = at + (short === 126 ? rest.readUInt16BE(2) : short);
    if (rest.length < end) return false;
    const payload = rest.subarray(at, end);
    this.#rest = rest.subarray(end);
    const opcode = rest[0]! & 0x0f;
    if (opcode === TEXT) this.#texts.push(payload.toString());
    if (opcode === CLOSE && payload.length >= 2) this.#code = payload.readUInt16BE(0);
    return true;
  }
}
