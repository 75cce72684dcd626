import { join } from "node:path";
import { Peer } from "../peers/peer.ts";
import { secondsOf } from "../core/scenario.ts";
import type { YardstickSpec } from "./yardstick.ts";

/**
 * The speed limit of the runtime: two Bun processes with one socket, MD5 at both ends and fsync, and nothing
 * more.
 */
export const sockets: YardstickSpec = {
  name: "bare socket pair",
  tools: [],
  async open(file, folder) {
    const pair = await SocketPair.start(file, folder);
    return { carry: () => pair.carry(), [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose]() };
  },
};

/** The sending and the receiving process of the bare socket transfer. */
export class SocketPair implements AsyncDisposable {
  private constructor(
    private readonly sender: Peer,
    private readonly receiver: Peer,
    /** Port of 127.0.0.1 on which the receiver listens. */
    readonly port: number,
  ) {}

  static async start(file: string, folder: string): Promise<SocketPair> {
    const receiver = Peer.start("socket-receiver.ts", [join(folder, "sockets.bin")]);
    const sender = Peer.start("socket-sender.ts", [file]);
    return new SocketPair(sender, receiver, (await receiver.next()) as number);
  }

  /**
   * Sends the file, and waits until the receiver has confirmed that the file is complete and flushed.
   * @param port port to which the sender connects: of the receiver, or of a link to it
   * @returns the duration, in s
   */
  carry(port = this.port): Promise<number> {
    return secondsOf(() => this.sender.ask(port));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sender[Symbol.asyncDispose]();
    await this.receiver[Symbol.asyncDispose]();
  }
}
