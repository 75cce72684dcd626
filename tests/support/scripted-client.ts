import { encodeFrame, HEADER_BYTES } from "../../lib/protocol/frame.ts";
import type { FileIdentity } from "../../lib/protocol/identity.ts";
import { type ServerMessage, SUBPROTOCOL } from "../../lib/protocol/messages.ts";
import { waitFor, within } from "./wait.ts";

/** The close code and the reason with which a WebSocket connection ended. */
export interface Closing {
  code: number;
  reason: string;
}

export type Request = Extract<ServerMessage, { type: "download_request" }>;

/** A valid registration message, whose fields tests may replace. */
export const REGISTER = {
  type: "register",
  client_id: "scripted",
  key: "the-scripted-client-s-key",
  version: "1.0.0",
  hostname: "till",
  platform: "linux x64",
  chunk_size: 64 * 1024,
};

/**
 * A client that sends exactly the messages of a test, including ones that the real client would never send.
 */
export class ScriptedClient implements AsyncDisposable {
  readonly #received: ServerMessage[] = [];
  readonly #closed = Promise.withResolvers<Closing>();

  private constructor(private readonly socket: WebSocket) {
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.#received.push(JSON.parse(data)));
    socket.addEventListener("close", ({ code, reason }) => this.#closed.resolve({ code, reason }));
  }

  /** Connects without registering. @param url of the server, with the scheme http */
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

  /** Connects and registers as a valid client. */
  static async register(url: string, fields: Partial<typeof REGISTER> | { enroll_token: string }) {
    const client = await ScriptedClient.connect(url);
    client.send({ ...REGISTER, ...fields });
    await client.next("registered");
    return client;
  }

  /** Resolves when the connection has ended, by the server or by a network error. */
  get closed(): Promise<Closing> {
    return within(this.#closed.promise, "the end of the connection");
  }

  /**
   * Waits until the server closes the connection because of the message sent last.
   * @throws Error if the server answers a ping sent after the message, because it then accepted the message
   */
  async refused(): Promise<Closing> {
    const pong = new Promise<never>((_, reject) => {
      const taken = () => reject(new Error("the server took what it must refuse"));
      this.socket.addEventListener("pong", taken, { once: true });
    });
    this.socket.ping();
    return Promise.race([this.closed, pong]);
  }

  /** The WebSocket subprotocol that the server chose. */
  get protocol(): string {
    return this.socket.protocol;
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Sends a message as JSON text. */
  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Sends text or bytes unchanged. */
  sendRaw(data: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
  }

  /** Returns the next message of a type. Messages received before it are discarded. */
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

  /** Sends `file_start`, with the size and identity that belong to these bytes. */
  start(request: Request, bytes: Uint8Array, fields: object = {}): void {
    this.send(startMessage(request, bytes, fields));
  }

  /** Sends the file's bytes in frames, from an offset on. */
  sendFrames(request: Request, bytes: Uint8Array, from = 0): void {
    const { chunk_size } = request;
    for (let offset = from; offset < bytes.length; offset += chunk_size) {
      this.sendRaw(frame(request, offset, bytes.subarray(offset, offset + chunk_size)));
    }
  }

  /** Sends `file_complete`, with the MD5 of these bytes. */
  complete(request: Request, bytes: Uint8Array, fields: object = {}): void {
    this.send(completeMessage(request, bytes, fields));
  }

  /** Sends an `error` message: the client cannot deliver the file. */
  fail(request: Request, code: string, message = "no"): void {
    const { stream, epoch } = request;
    this.send({ type: "error", stream, epoch, code, message });
  }

  /** Sends a whole small file, as an honest client would. */
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

/** The stream and the epoch that identify an attempt. */
type Address = Pick<Request, "stream" | "epoch">;

/** Makes a `file_start` message for a file with these bytes. @param fields replace the correct ones */
export function startMessage({ stream, epoch }: Address, bytes: Uint8Array, fields: object = {}) {
  const [identity, total_size] = [identityOf(bytes), bytes.length];
  return { type: "file_start", stream, epoch, identity, total_size, offset: 0, ...fields };
}

/** Makes a `file_complete` message for a file with these bytes. @param fields replace the correct ones */
export function completeMessage(
  { stream, epoch }: Address,
  bytes: Uint8Array,
  fields: object = {},
) {
  const told = { identity: identityOf(bytes), total_size: bytes.length, md5: md5(bytes) };
  return { type: "file_complete", stream, epoch, ...told, ...fields };
}

/** Makes a frame of an attempt. @param packed compressed bytes to send instead of `bytes` */
export function frame(
  { stream, epoch }: Address,
  offset: number,
  bytes: Uint8Array,
  packed?: Uint8Array,
) {
  return encodeFrame({ stream, epoch, offset }, bytes, packed);
}

/** Replaces bytes of a frame's header, and corrects the header's CRC. */
export function withHeader(bytes: Uint8Array<ArrayBuffer>, at: number, ...values: number[]) {
  bytes.set(values, at);
  const crcAt = HEADER_BYTES - 4;
  new DataView(bytes.buffer).setUint32(crcAt, Bun.hash.crc32(bytes.subarray(0, crcAt)));
  return bytes;
}

/** Flips one bit of a frame, in the byte at `at`. */
export function damaged(bytes: Uint8Array<ArrayBuffer>, at: number) {
  bytes[at] = bytes[at]! ^ 1;
  return bytes;
}

export function md5(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("md5").update(bytes).digest("hex");
}

/** Makes the identity of a file, which depends only on its size. */
function identityOf(bytes: Uint8Array): FileIdentity {
  return { size: bytes.length, mtime_ns: "1", ctime_ns: "2", inode: "3", device: "4" };
}
