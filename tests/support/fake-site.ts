import type { ServerMessage } from "../../lib/protocol/messages.ts";
import type { Clients } from "../../lib/server/clients/clients.ts";
import type { Session } from "../../lib/server/clients/session.ts";
import type { Socket } from "../../lib/server/clients/socket.ts";
import { frame, md5, REGISTER, type Request } from "./scripted-client.ts";

/** A client without a network. The server's session handles its messages synchronously. */
export class FakeSite implements Socket {
  readonly told: ServerMessage[] = [];
  readonly #session: Session;
  /** The payload of the server's last ping. */
  #asked = "";

  constructor(clients: Pick<Clients, "connect">) {
    this.#session = clients.connect(this, "127.0.0.1");
    this.say({ ...REGISTER });
  }

  /** Every download request that the server has sent. */
  get requests(): Request[] {
    return this.told.filter((message) => message.type === "download_request");
  }

  say(message: object): void {
    this.#session.onText(JSON.stringify(message));
  }

  /** Sends `file_start`, then the file's bytes from the requested offset up to `end`. */
  send(request: Request, bytes: Uint8Array, end = bytes.length): void {
    const { offset } = request;
    this.#say(request, "file_start", bytes, { offset });
    this.#sendRange(request, bytes, offset, end);
  }

  /** Sends the rest of a file's bytes, from an offset to its end. */
  sendRest(request: Request, bytes: Uint8Array, from: number): void {
    this.#sendRange(request, bytes, from, bytes.length);
  }

  /** Answers the server's last ping by a pong. */
  answer(): void {
    this.#session.onPong(this.#asked);
  }

  /** Reports to the server that the connection is closed. */
  leave(): void {
    this.#session.closed();
  }

  #sendRange(request: Request, bytes: Uint8Array, from: number, end: number): void {
    this.#session.onBinary(frame(request, from, bytes.subarray(from, end)));
    if (end === bytes.length) this.#say(request, "file_complete", bytes, { md5: md5(bytes) });
  }

  #say({ stream, epoch }: Request, type: string, { length }: Uint8Array, fields: object): void {
    const identity = { size: length, mtime_ns: "1", ctime_ns: "2", inode: "3", device: "4" };
    this.say({ type, stream, epoch, identity, total_size: length, ...fields });
  }

  sendText(text: string): number {
    return this.told.push(JSON.parse(text));
  }
  ping(data = ""): number {
    this.#asked = data;
    return 1;
  }
  close(): void {}
  terminate(): void {}
}
