import * as z from "zod";
import { Peer } from "./peer.ts";

/** What a link is like. */
export interface LinkConditions {
  /** Bits a second, in each direction of each connection. */
  bitsPerSecond: number;
  /** ms there and back. */
  roundTrip: number;
}

const Counted = z.object({ up: z.number(), down: z.number() });

/** The proxy of the fault suite as a link, in a process of its own. */
export class NetworkLink implements AsyncDisposable {
  private constructor(
    private readonly peer: Peer,
    /** Where it listens on 127.0.0.1. */
    readonly port: number,
  ) {}

  /** @param targetPort what it leads to, on 127.0.0.1 */
  static async open(targetPort: number, conditions: LinkConditions): Promise<NetworkLink> {
    const { bitsPerSecond, roundTrip } = conditions;
    const args = [targetPort, bitsPerSecond / 8, roundTrip / 2].map(String);
    const peer = Peer.start("link-process.ts", args);
    return new NetworkLink(peer, z.number().parse(await peer.next()));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Bytes that were sent into it so far: `up` by clients, `down` by the server. */
  async sent(): Promise<z.infer<typeof Counted>> {
    return Counted.parse(await this.peer.ask("count"));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.peer[Symbol.asyncDispose]();
  }
}
