import { encodeFrame, HEADER_BYTES } from "../../lib/protocol/frame.ts";
import type { FileIdentity } from "../../lib/protocol/identity.ts";
import { type ServerMessage, SUBPROTOCOL } from "../../lib/protocol/messages.ts";
import { waitFor, within } from "./wait.ts";

/** What ended a connection. */
export interface Closing {
  code: number;
  reason: string;
}

export type Request = Extract<ServerMessage, { type: "download_request" }>;

/** What a right registration says; tests put something else in its place. */
export const REGISTER = {
  type: "register",
  client_id: "scripted",
  key: "the-scripted-client-s-key",
  version: "1.0.0",
  hostname: "till",
  platform: "linux x64",
  chunk_size: 64 * 1024,
};

/** A client that speaks the protocol by hand, and so can say what no client of ours would. */
export class ScriptedClient implements AsyncDisposable {
  readonly #received: ServerMessage[] = [];
  readonly #closed = Promise.withResolvers<Closing>();

  private constructor(private readonly socket: WebSocket) {
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.#received.push(JSON.parse(data)));
    socket.addEventListener("close", ({ code, reason }) => this.#closed.resolve({ code, reason }));
  }

  /** @param url the server's, with http */
  static async connect(
    url: string,
    protocols = [SUBPROTOCOL],
    headers: Record<string, string> = {},
  ): Promise<ScriptedClient> {
    const address = `${url.replace("http", "ws")}/ws`;
    const socket = new WebSocket(address, { protocols, headers, perMessageDeflate: false });
    const client = new ScriptedClient(socket);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    return client;
  }

  /** Connects and registers; there is no better client until a test makes it lie. */
  static async register(url: string, fields: Partial<typeof REGISTER> | { enroll_token: string }) {
    const client = await ScriptedClient.connect(url);
    client.send({ ...REGISTER, ...fields });
    await client.next("registered");
    return client;
  }

  /** Resolves when the server, or the network, ended the connection. */
  get closed(): Promise<Closing> {
    return within(this.#closed.promise, "the end of the connection");
  }

  /**
   * The end of the connection, which what was sent last must bring.
   * @throws Error as soon as the server answers a ping that was sent behind it
   */
  async refused(): Promise<Closing> {
    const pong = new Promise<never>((_, reject) => {
      const taken = () => reject(new Error("the server took what it must refuse"));
      this.socket.addEventListener("pong", taken, { once: true });
    });
    this.socket.ping();
    return Promise.race([this.closed, pong]);
  }

  /** The protocol that the server chose. */
  get protocol(): string {
    return this.socket.protocol;
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Sends something as JSON. */
  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Sends it as it is. */
  sendRaw(data: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
  }

  /** The next message of a type; what came before it is forgotten. */
  async next<T extends ServerMessage["type"]>(
    type: T,
  ): Promise<Extract<ServerMessage, { type: T }>> {
    const at = await waitFor(() => {
      const index = this.#received.findIndex((message) => message.type === type);
      return index < 0 ? undefined : { index };
    }, `the message "${type}"`);
    const [found] = this.#received.splice(0, at.index + 1).slice(-1);
    return found as Extract<ServerMessage, { type: T }>;
  }

  /** Says that a file of these bytes is open. */
  start(request: Request, bytes: Uint8Array, fields: object = {}): void {
    this.send(startMessage(request, bytes, fields));
  }

  /** Sends the frames of a file from an offset on. */
  sendFrames(request: Request, bytes: Uint8Array, from = 0): void {
    const { chunk_size } = request;
    for (let offset = from; offset < bytes.length; offset += chunk_size) {
      this.sendRaw(frame(request, offset, bytes.subarray(offset, offset + chunk_size)));
    }
  }

  /** Says that all of the file was sent. */
  complete(request: Request, bytes: Uint8Array, fields: object = {}): void {
    this.send(completeMessage(request, bytes, fields));
  }

  /** Says that the file cannot be delivered. */
  fail(request: Request, code: string, message = "no"): void {
    const { stream, epoch } = request;
    this.send({ type: "error", stream, epoch, code, message });
  }

  /** All of a small file, as a client that tells the truth sends it. */
  deliver(request: Request, bytes: Uint8Array): void {
    this.start(request, bytes);
    this.sendFrames(request, bytes);
    this.complete(request, bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

/** Which attempt is meant. */
type Address = Pick<Request, "stream" | "epoch">;

/** Says that a file of these bytes is open. */
export function startMessage({ stream, epoch }: Address, bytes: Uint8Array, fields: object = {}) {
  const [identity, total_size] = [identityOf(bytes), bytes.length];
  return { type: "file_start", stream, epoch, identity, total_size, offset: 0, ...fields };
}

/** Says that all of a file was sent. */
export function completeMessage(
  { stream, epoch }: Address,
  bytes: Uint8Array,
  fields: object = {},
) {
  const told = { identity: identityOf(bytes), total_size: bytes.length, md5: md5(bytes) };
  return { type: "file_complete", stream, epoch, ...told, ...fields };
}

/** A frame of the attempt that a request began; `packed` is sent in place of the bytes. */
export function frame(
  { stream, epoch }: Address,
  offset: number,
  bytes: Uint8Array,
  packed?: Uint8Array,
) {
  return encodeFrame({ stream, epoch, offset }, bytes, packed);
}

/** The frame with other bytes at a place of its header, which is told to be right. */
export function withHeader(bytes: Uint8Array<ArrayBuffer>, at: number, ...values: number[]) {
  bytes.set(values, at);
  const crcAt = HEADER_BYTES - 4;
  new DataView(bytes.buffer).setUint32(crcAt, Bun.hash.crc32(bytes.subarray(0, crcAt)));
  return bytes;
}

/** The frame with one bit of a byte changed. */
export function damaged(bytes: Uint8Array<ArrayBuffer>, at: number) {
  bytes[at] = bytes[at]! ^ 1;
  return bytes;
}

export function md5(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("md5").update(bytes).digest("hex");
}

/** The identity of a file that never changes. */
function identityOf(bytes: Uint8Array): FileIdentity {
  return { size: bytes.length, mtime_ns: "1", ctime_ns: "2", inode: "3", device: "4" };
}
