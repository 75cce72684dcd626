import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Conditions, DIRECTIONS, type Direction, PERFECT } from "./proxy/conditions.ts";
import { type Cut, Lane } from "./proxy/lane.ts";
import { Link } from "./proxy/link.ts";
import { Traps } from "./proxy/traps.ts";
import { type WireFrame, WireFrames } from "./proxy/websocket-frames.ts";
import { Random } from "./random.ts";

/**
 * A TCP proxy that simulates the network between clients and a server. It counts the bytes, and can cut,
 * hold, slow down or corrupt connections, at an exact byte if wanted.
 */
export class Proxy implements AsyncDisposable {
  /** Bytes received from each side so far, over all connections, including those lost in a cut. */
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
   * Starts a proxy on a free port.
   * @param targetPort the server's port on 127.0.0.1; the server may start later
   * @param seed of the random jitter
   */
  static async listen(targetPort: number, seed = 1): Promise<Proxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Proxy(server, targetPort, new Random(seed));
  }

  /** The URL to give a client as its server. */
  get url(): string {
    const { port } = this.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** The number of open connections. */
  get connections(): number {
    return this.#links.size;
  }

  /** The open connections, oldest first. */
  get links(): Link[] {
    return [...this.#links];
  }

  /** Bytes forwarded so far in each direction, over all connections. */
  get carried(): Readonly<Record<Direction, number>> {
    return this.#traps.carried;
  }

  /**
   * Changes rate, delay or jitter for all open and future connections. Without `directions`, both directions
   * are changed.
   */
  shape(conditions: Partial<Conditions>, ...directions: Direction[]): void {
    for (const direction of directions.length > 0 ? directions : DIRECTIONS) {
      Object.assign(this.#conditions[direction], conditions);
    }
  }

  /**
   * Calls a function just before the byte at an offset is forwarded.
   * @param offset in bytes, counted from the next byte to be forwarded
   * @param act gets the bytes from the offset on, at least one, and may change them
   * @returns a promise that resolves after the call
   */
  after(direction: Direction, offset: number, act: (next: Buffer) => void): Promise<void> {
    return this.#traps.set(direction, offset, act);
  }

  /**
   * Rewrites WebSocket frames on connections that are opened later.
   * @param change returns the bytes to send for a frame: none, the frame itself, the frame twice, and so on
   */
  rewrite(direction: Direction, change: (frame: WireFrame) => Buffer[]): void {
    this.#rewrites[direction] = change;
  }

  /** Stops forwarding in a direction on all open and future connections, which stay connected. */
  hold(direction: Direction): void {
    this.#held[direction] = true;
  }

  release(direction: Direction): void {
    this.#held[direction] = false;
    for (const link of this.#links) link.deliver(direction);
  }

  /** Cuts every open connection. New connections are accepted at once. */
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
      // The lanes handle the socket's `close` event, so the error itself needs no handling.
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
