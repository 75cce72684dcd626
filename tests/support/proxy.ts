import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Conditions, DIRECTIONS, type Direction, PERFECT } from "./proxy/conditions.ts";
import { type Cut, Lane } from "./proxy/lane.ts";
import { Link } from "./proxy/link.ts";
import { Traps } from "./proxy/traps.ts";
import { type WireFrame, WireFrames } from "./proxy/websocket-frames.ts";
import { Random } from "./random.ts";

/**
 * The network between clients and a server, and what goes wrong in it: counts what it carries,
 * cuts, holds, slows down and damages, each at an exact byte where that is wanted.
 */
export class Proxy implements AsyncDisposable {
  /** Bytes that came in so far, over all connections; those that were lost in a cut are among them. */
  readonly sent: Record<Direction, number> = { up: 0, down: 0 };
  readonly #conditions: Record<Direction, Conditions> = {
    up: { ...PERFECT },
    down: { ...PERFECT },
  };
  readonly #held: Record<Direction, boolean> = { up: false, down: false };
  readonly #rewrites: Partial<Record<Direction, (frame: WireFrame) => Buffer[]>> = {};
  readonly #traps = new Traps();
  readonly #links = new Set<Link>();

  private constructor(
    private readonly server: Server,
    private readonly targetPort: number,
    private readonly random: Random,
  ) {
    server.on("connection", (client) => this.#join(client));
  }

  /**
   * @param targetPort where the server listens on 127.0.0.1, now or later
   * @param seed of the jitter
   */
  static async listen(targetPort: number, seed = 1): Promise<Proxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Proxy(server, targetPort, new Random(seed));
  }

  /** What to give a client as its server. */
  get url(): string {
    const { port } = this.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** How many connections there are now. */
  get connections(): number {
    return this.#links.size;
  }

  /** The connections that there are now, the oldest first. */
  get links(): Link[] {
    return [...this.#links];
  }

  /** Bytes that were handed on so far, over all connections. */
  get carried(): Readonly<Record<Direction, number>> {
    return this.#traps.carried;
  }

  /** Changes what the network is like from now on, for every connection that is and will be. */
  shape(conditions: Partial<Conditions>, ...directions: Direction[]): void {
    for (const direction of directions.length > 0 ? directions : DIRECTIONS) {
      Object.assign(this.#conditions[direction], conditions);
    }
  }

  /**
   * Does something at an exact byte, in the middle of the flow: that byte has not passed yet.
   * @param offset counted from the next byte on
   * @param act gets the bytes from the offset on, which it may change; at least one
   * @returns resolves when it was done
   */
  after(direction: Direction, offset: number, act: (next: Buffer) => void): Promise<void> {
    return this.#traps.set(direction, offset, act);
  }

  /**
   * Puts something else in the place of whole WebSocket frames, on connections that begin later.
   * @param change gives what is sent for a frame: nothing, itself, itself twice, and so on
   */
  rewrite(direction: Direction, change: (frame: WireFrame) => Buffer[]): void {
    this.#rewrites[direction] = change;
  }

  /** Lets nothing pass in a direction, on connections of now and later; both ends stay connected. */
  hold(direction: Direction): void {
    this.#held[direction] = true;
  }

  release(direction: Direction): void {
    this.#held[direction] = false;
    for (const link of this.#links) link.deliver(direction);
  }

  /** Cuts every connection there is; a client may connect again at once. */
  cut(how: Cut): void {
    for (const link of this.#links) link.cut(how);
    this.#links.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut("rst");
    this.server.close();
    await once(this.server, "close");
  }

  #join(client: Socket): void {
    const server = connect({ port: this.targetPort, host: "127.0.0.1", allowHalfOpen: true });
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // The lanes hear that it is closed, which is all that matters.
      socket.on("error", () => socket.destroy());
    }
    let open = DIRECTIONS.length;
    const onDone = () => {
      if (--open === 0) this.#links.delete(link);
    };
    const lanes = {
      up: this.#lane("up", client, server, onDone),
      down: this.#lane("down", server, client, onDone),
    };
    const link = new Link([client, server], lanes);
    this.#links.add(link);
  }

  #lane(direction: Direction, from: Socket, to: Socket, onDone: () => void): Lane {
    const change = this.#rewrites[direction];
    const frames = change && new WireFrames(change);
    return new Lane({
      direction,
      from,
      to,
      conditions: this.#conditions[direction],
      random: this.random,
      traps: this.#traps,
      rewrite: (bytes) => frames?.take(bytes) ?? [bytes],
      onArrived: (bytes) => {
        this.sent[direction] += bytes;
      },
      isHeld: () => this.#held[direction],
      onDone,
    });
  }
}
