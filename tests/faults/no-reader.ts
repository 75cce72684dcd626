import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { SUBPROTOCOL } from "../../lib/protocol/messages.ts";
import { ENROLL_TOKEN } from "../support/system.ts";
import { REGISTER } from "../support/scripted-client.ts";

const HANDSHAKE = [
  "GET /ws HTTP/1.1",
  "Host: 127.0.0.1",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
  "\r\n",
].join("\r\n");

/**
 * A ping of the maximum size (RFC 6455, 5.5), masked with zeros. The server answers each with a pong of the
 * same size.
 */
const PING = Buffer.alloc(6 + 125);
PING.set([0x89, 0x80 | 125]);
const PINGS = Buffer.concat(Array.from({ length: 512 }, () => PING));

/** A client that registers, sends pings, and never reads the server's answers. */
export class NoReader implements Disposable {
  readonly #cutOff: Promise<void>;

  private constructor(private readonly socket: Socket) {
    this.#cutOff = new Promise((resolve) => socket.on("close", () => resolve()));
  }

  static async connect(port: number): Promise<NoReader> {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => socket.destroy());
    await once(socket, "connect");
    socket.pause();
    socket.write(HANDSHAKE);
    const register = Buffer.from(JSON.stringify({ ...REGISTER, enroll_token: ENROLL_TOKEN }));
    const head = Buffer.alloc(8);
    head.set([0x81, 0x80 | 126]);
    head.writeUInt16BE(register.length, 2);
    socket.write(Buffer.concat([head, register]));
    return new NoReader(socket);
  }

  get isCutOff(): boolean {
    return this.socket.destroyed;
  }

  /** Sends pings until this many bytes of answers were requested, as fast as the server reads. */
  async ask(bytes: number): Promise<void> {
    for (let asked = 0; asked < bytes && !this.isCutOff; asked += PINGS.length) {
      if (this.socket.write(PINGS)) continue;
      const drained = new Promise((resolve) => this.socket.once("drain", resolve));
      await Promise.race([drained, this.#cutOff]);
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
