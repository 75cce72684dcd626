import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { SUBPROTOCOL } from "../../lib/protocol/messages.ts";

/** What a WebSocket's key is answered with (RFC 6455, 1.3). */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A server whose every byte is a test's own: what it does with a connection is up to the test. */
export class HandmadeServer implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /** @param serve gets each connection, with the head of its first request */
  static async listen(serve: (socket: Socket, head: string) => void): Promise<HandmadeServer> {
    const server = createServer((socket) => {
      socket.once("data", (head) => serve(socket, head.toString("latin1")));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new HandmadeServer(server);
  }

  /** As {@link listen}, and each connection is a WebSocket when `serve` gets it. */
  static listenForWebSockets(serve: (socket: Socket) => void): Promise<HandmadeServer> {
    return HandmadeServer.listen((socket, head) => {
      const [, key = ""] = /^sec-websocket-key: (.*)\r$/im.exec(head) ?? [];
      const accept = createHash("sha1")
        .update(key.trim() + GUID)
        .digest("base64");
      const lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        `Sec-WebSocket-Accept: ${accept}`,
        `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
      ];
      socket.write(`${lines.join("\r\n")}\r\n\r\n`);
      serve(socket);
    });
  }

  /** What to give a client as its server. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }
}

const OPCODES = { continuation: 0, text: 1, binary: 2, ping: 9 } as const;

/**
 * The head of a WebSocket frame of a server (RFC 6455, 5.2).
 * @param isLast of its message
 */
export function frameHead(kind: keyof typeof OPCODES, length: number, isLast = true): Buffer {
  const head = Buffer.alloc(10);
  head[0] = (isLast ? 0x80 : 0) | OPCODES[kind];
  // The longest form of a length is right for any.
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** A message of text in one frame. */
export function textFrame(message: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(message));
  return Buffer.concat([frameHead("text", payload.length), payload]);
}

/**
 * Sends the same bytes again and again, as fast as the other side takes them, until it is gone. No
 * more than one piece waits to be taken, and each wait lets the event loop go on: a loop that does
 * neither takes all memory once the socket is broken and not yet closed.
 */
export async function sendForEver(socket: Socket, bytes: Buffer): Promise<void> {
  const gone = new Promise<Error>((resolve) => {
    socket.once("close", () => resolve(new Error("closed")));
    socket.once("error", resolve);
  });
  for (let failure: Error | undefined; !failure && !socket.destroyed;) {
    const taken = new Promise<Error | undefined>((resolve) => {
      socket.write(bytes, (error) => resolve(error ?? undefined));
    });
    failure = await Promise.race([taken, gone]);
    await Bun.sleep(0);
  }
}
