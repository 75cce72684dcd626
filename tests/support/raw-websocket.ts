import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { waitFor } from "./wait.ts";

/** The opcodes of RFC 6455, 5.2, that tests need. */
export const TEXT = 1;
export const BINARY = 2;
const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** A request for a WebSocket. @param lines of its head, beside those that every one has */
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
 * A frame of a client whose mask is 0, which leaves the payload as it is.
 * @param length what it says of itself
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

/** A WebSocket made by hand, which can send any bytes as fast as the socket takes them. */
export class RawWebSocket implements Disposable {
  /** The first line of the answer to the request. */
  answer = "";
  #rest: Buffer = Buffer.alloc(0);
  /** What the server said, in text. */
  readonly #texts: string[] = [];
  #code: number | undefined;

  private constructor(readonly socket: Socket) {
    // To be reset is what it is there for.
    socket.on("error", () => socket.destroy());
    socket.on("data", (data: Buffer) => this.#take(data));
    socket.on("end", () => socket.destroy());
  }

  /** Resolves once the server has answered, or closed. @param request all that is sent at first */
  static async open(port: number, request: string | Buffer): Promise<RawWebSocket> {
    const socket = connect(port, "127.0.0.1");
    const raw = new RawWebSocket(socket);
    socket.write(request);
    await Promise.race([once(socket, "data"), once(socket, "close")]);
    return raw;
  }

  /** Registers, and waits until that is answered. */
  static async register(port: number, register: object): Promise<RawWebSocket> {
    const raw = await RawWebSocket.open(port, upgradeRequest());
    raw.socket.write(webSocketFrame(TEXT, JSON.stringify(register)));
    await raw.next("registered");
    return raw;
  }

  get isGone(): boolean {
    return this.socket.destroyed;
  }

  /** The server's close code, once it is gone; undefined where it said none. */
  get closeCode(): number | undefined {
    return this.#code;
  }

  /** The latest message of a type. */
  async next(type: string): Promise<Record<string, unknown>> {
    const text = await waitFor(
      () => this.#texts.findLast((message) => message.includes(`"type":"${type}"`)),
      `the message "${type}"`,
    );
    return JSON.parse(text);
  }

  /** Sends bytes again and again until the server has closed, or so many went. */
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

  /** @returns false where the rest of a frame is still to come */
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
