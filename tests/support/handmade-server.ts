import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { SUBPROTOCOL } from "../../lib/protocol/messages.ts";

/** The constant that a server appends to Sec-WebSocket-Key before hashing (RFC 6455, 1.3). */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A raw TCP server. The test decides every byte that is sent on its connections. */
export class HandmadeServer implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /**
   * Starts a server on a free port.
   * @param serve handles a connection, and gets the text of its first request
   */
  static async listen(serve: (socket: Socket, head: string) => void): Promise<HandmadeServer> {
    const server = createServer((socket) => {
      socket.once("data", (head) => serve(socket, head.toString("latin1")));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new HandmadeServer(server);
  }

  /** Starts a server that answers each WebSocket upgrade, then hands the connection to `serve`. */
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

  /** The URL to give a client as its server. */
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
 * Makes the header of a WebSocket frame as a server sends it (RFC 6455, 5.2).
 * @param isLast whether this frame ends its message
 */
export function frameHead(kind: keyof typeof OPCODES, length: number, isLast = true): Buffer {
  const head = Buffer.alloc(10);
  head[0] = (isLast ? 0x80 : 0) | OPCODES[kind];
  // The 64-bit form of the length is used for every size.
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** Makes a WebSocket frame with a message as JSON text. */
export function textFrame(message: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(message));
  return Buffer.concat([frameHead("text", payload.length), payload]);
}

/**
 * Writes the same bytes again and again until the connection closes. Each write waits for the one before and
 * for the event loop, because writes to a broken socket would otherwise fill the memory.
 * @param onSent called after each write
 */
export async function sendForEver(
  socket: Socket,
  bytes: Buffer,
  onSent: () => void = () => undefined,
): Promise<void> {
  const gone = new Promise<Error>((resolve) => {
    socket.once("close", () => resolve(new Error("closed")));
    socket.once("error", resolve);
  });
  for (let failure: Error | undefined; !failure && !socket.destroyed;) {
    const taken = new Promise<Error | undefined>((resolve) => {
      socket.write(bytes, (error) => resolve(error ?? undefined));
    });
    failure = await Promise.race([taken, gone]);
    onSent();
    await Bun.sleep(0);
  }
}
