import { join } from "node:path";
import { Peer } from "../peers/peer.ts";
import { secondsOf } from "../core/scenario.ts";
import type { YardstickSpec } from "./yardstick.ts";

/** The limit of the runtime: two Bun processes, a socket, MD5 at both ends and fsync, no more. */
export const sockets: YardstickSpec = {
  name: "bare socket pair",
  tools: [],
  async open(file, folder) {
    const pair = await SocketPair.start(file, folder);
    return { carry: () => pair.carry(), [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose]() };
  },
};

/** The two processes. */
export class SocketPair implements AsyncDisposable {
  private constructor(
    private readonly sender: Peer,
    private readonly receiver: Peer,
    /** Where the receiver listens on 127.0.0.1. */
    readonly port: number,
  ) {}

  static async start(file: string, folder: string): Promise<SocketPair> {
    const receiver = Peer.start("socket-receiver.ts", [join(folder, "sockets.bin")]);
    const sender = Peer.start("socket-sender.ts", [file]);
    return new SocketPair(sender, receiver, (await receiver.next()) as number);
  }

  /**
   * Carries the file, until it is known at the sender that it is whole and on the disk.
   * @param port of what is between the two
   * @returns seconds
   */
  carry(port = this.port): Promise<number> {
    return secondsOf(() => this.sender.ask(port));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sender[Symbol.asyncDispose]();
    await this.receiver[Symbol.asyncDispose]();
  }
}
