import { encodeFrame } from "../../lib/protocol/frame.ts";
import type { ServerMessage } from "../../lib/protocol/messages.ts";
import type { Clients } from "../../lib/server/clients.ts";
import type { Session, Socket } from "../../lib/server/session.ts";
import { md5, REGISTER, type Request } from "./scripted-client.ts";

/** A client without a network: what it says is heard at once, by the server's own code. */
export class FakeSite implements Socket {
  readonly remoteAddress = "127.0.0.1";
  readonly told: ServerMessage[] = [];
  readonly #session: Session;

  constructor(clients: Pick<Clients, "connect">) {
    this.#session = clients.connect(this);
    this.say({ ...REGISTER });
  }

  /** Every request that was made. */
  get requests(): Request[] {
    return this.told.filter((message) => message.type === "download_request");
  }

  say(message: object): void {
    this.#session.onText(JSON.stringify(message));
  }

  /** Says that the file is open, and sends its bytes up to an offset. */
  send({ stream, epoch, offset }: Request, bytes: Uint8Array, end = bytes.length): void {
    const identity = {
      size: bytes.length,
      mtime_ns: "1",
      ctime_ns: "2",
      inode: "3",
      device: "4",
    };
    const total_size = bytes.length;
    this.say({ type: "file_start", stream, epoch, identity, total_size, offset });
    this.#session.onBinary(encodeFrame({ stream, epoch, offset }, bytes.subarray(offset, end)));
    if (end < bytes.length) return;
    this.say({ type: "file_complete", stream, epoch, identity, total_size, md5: md5(bytes) });
  }

  /** The connection is gone. */
  leave(): void {
    this.#session.closed();
  }

  sendText(text: string): number {
    return this.told.push(JSON.parse(text));
  }
  ping(): number {
    return 1;
  }
  close(): void {}
  terminate(): void {}
}
