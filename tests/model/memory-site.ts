import { decideStart } from "../../lib/client/resume.ts";
import type { ServerMessage } from "../../lib/protocol/messages.ts";
import type { Clients } from "../../lib/server/clients/clients.ts";
import type { Session } from "../../lib/server/clients/session.ts";
import type { Socket } from "../../lib/server/clients/socket.ts";
import { frame, REGISTER, type Request } from "../support/scripted-client.ts";
import type { Inode, MemoryFile } from "./memory-file.ts";

/** Size of a frame's payload, in bytes. */
export const CHUNK = 4096;

/** The state of a file that the simulated client is sending. */
interface Outgoing {
  request: Request;
  inode: Inode;
  offset: number;
  totalSize: number;
  maxOffset: number;
  hash: Bun.CryptoHasher;
  complete: boolean;
}

/**
 * A simulated client. It is connected by direct calls instead of a WebSocket, and sends frames only in
 * `flow`.
 */
export class MemorySite implements Socket {
  readonly remoteAddress = "127.0.0.1";
  readonly #session: Session;
  readonly #outgoing = new Map<number, Outgoing>();

  constructor(
    clients: Pick<Clients, "connect">,
    clientId: string,
    private readonly file: MemoryFile,
  ) {
    this.#session = clients.connect(this, "127.0.0.1");
    this.#say({ ...REGISTER, client_id: clientId, chunk_size: CHUNK });
  }

  /** Closes the connection, and reports that to the server. */
  leave(): void {
    this.#outgoing.clear();
    this.#session.closed();
  }

  /**
   * Sends one frame of each file, as far as the server's credit allows.
   * @returns whether anything was sent
   */
  flow(): boolean {
    return [...this.#outgoing.values()].map((one) => this.#sendNext(one)).includes(true);
  }

  sendText(text: string): number {
    this.#hear(JSON.parse(text));
    return 1;
  }
  ping(): number {
    queueMicrotask(() => this.#session.onPong());
    return 1;
  }
  close(): void {
    this.#outgoing.clear();
  }
  terminate(): void {
    this.#outgoing.clear();
  }

  #hear(message: ServerMessage): void {
    switch (message.type) {
      case "registered":
        return;
      case "download_request":
        void this.#open(message);
        return;
      case "credit": {
        const outgoing = this.#outgoing.get(message.stream);
        if (outgoing) outgoing.maxOffset = message.max_offset;
        return;
      }
      case "cancel":
      case "done":
        this.#outgoing.delete(message.stream);
        return;
      default:
        throw new Error(`a site in memory knows no ${message.type}`);
    }
  }

  async #open(request: Request): Promise<void> {
    const { stream, epoch } = request;
    const { inode } = this.file;
    if (!inode) {
      const message = "there is no such file";
      // A real client answers asynchronously, after the request was sent.
      await Promise.resolve();
      return this.#say({ type: "error", stream, epoch, code: "file_not_found", message });
    }
    const { identity } = inode;
    const read = async (offset: number, length: number) =>
      inode.bytes.slice(offset, offset + length);
    const start = await decideStart(request, identity, read, () => true);
    const { offset, totalSize, reason } = start;
    const maxOffset = offset < request.offset ? 0 : request.max_offset;
    const hash = start.hash;
    const complete = false;
    this.#outgoing.set(stream, { request, inode, offset, totalSize, maxOffset, hash, complete });
    this.#say({
      type: "file_start",
      stream,
      epoch,
      identity,
      total_size: totalSize,
      offset,
      reason,
    });
  }

  #sendNext(outgoing: Outgoing): boolean {
    const { request, inode, offset, totalSize, maxOffset, hash } = outgoing;
    const { stream, epoch } = request;
    if (outgoing.complete) return false;
    if (offset === totalSize) {
      outgoing.complete = true;
      const { identity } = inode;
      const told = { identity, total_size: totalSize, md5: hash.digest("hex") };
      this.#say({ type: "file_complete", stream, epoch, ...told });
      return true;
    }
    const end = Math.min(offset + CHUNK, totalSize, maxOffset);
    if (end <= offset) return false;
    const payload = inode.bytes.slice(offset, end);
    if (payload.length === 0) {
      this.#outgoing.delete(stream);
      const message = "the file became shorter";
      this.#say({ type: "error", stream, epoch, code: "source_changed", message });
      return true;
    }
    hash.update(payload);
    outgoing.offset += payload.length;
    this.#session.onBinary(frame({ stream, epoch }, offset, payload));
    return true;
  }

  #say(message: object): void {
    this.#session.onText(JSON.stringify(message));
  }
}
