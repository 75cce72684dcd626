import * as z from "zod";
import { Peer } from "./peer.ts";

/** The conditions of a simulated network link. */
export interface LinkConditions {
  /** Rate of each direction of each connection, in bits a second. */
  bitsPerSecond: number;
  /** Round-trip time, in ms. */
  roundTrip: number;
}

const Counted = z.object({ up: z.number(), down: z.number() });

/** A simulated network link: the proxy of the fault tests, in a process of its own. */
export class NetworkLink implements AsyncDisposable {
  private constructor(
    private readonly peer: Peer,
    /** Port of 127.0.0.1 on which the link accepts connections. */
    readonly port: number,
  ) {}

  /**
   * Starts a link.
   * @param targetPort port of 127.0.0.1 to which connections are forwarded
   */
  static async open(targetPort: number, conditions: LinkConditions): Promise<NetworkLink> {
    const { bitsPerSecond, roundTrip } = conditions;
    const args = [targetPort, bitsPerSecond / 8, roundTrip / 2].map(String);
    const peer = Peer.start("link-process.ts", args);
    return new NetworkLink(peer, z.number().parse(await peer.next()));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Returns the number of bytes sent into the link so far: `up` by clients, `down` by the server. */
  async sent(): Promise<z.infer<typeof Counted>> {
    return Counted.parse(await this.peer.ask("count"));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.peer[Symbol.asyncDispose]();
  }
}
