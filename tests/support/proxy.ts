import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** `up`: from the client to the server. */
export type Direction = "up" | "down";

/** How a connection is cut: closed in order, or reset as by a router that forgot it. */
export type Cut = "fin" | "rst";

/** Something that happens when a byte is about to pass. */
interface Trap {
  direction: Direction;
  /** Counted over all connections, as {@link Proxy.carried} is. */
  offset: number;
  /** @param next the bytes from the offset on, which may be changed; at least one */
  spring: (next: Buffer) => void;
}

/** Two sockets, one on each side. */
interface Link {
  client: Socket;
  server: Socket;
}

/** A gate that is open at first. */
class Gate {
  #opened = Promise.withResolvers<void>();

  constructor() {
    this.#opened.resolve();
  }

  /** Resolves while the gate is open. */
  get passed(): Promise<void> {
    return this.#opened.promise;
  }

  close(): void {
    this.#opened = Promise.withResolvers();
  }

  open(): void {
    this.#opened.resolve();
  }
}

/** With a limit on the rate, bytes pass in pieces of this size. */
const PIECE = 16 * 1024;

/**
 * The network between clients and a server, and what goes wrong in it: counts what it carries,
 * cuts, holds, slows down and damages, each at an exact byte where that is wanted.
 */
export class Proxy implements AsyncDisposable {
  /** Bytes that came in so far, over all connections. */
  readonly carried: Record<Direction, number> = { up: 0, down: 0 };
  /** Most bytes a second for each direction of each connection. */
  bytesPerSecond = Infinity;
  readonly #gates: Record<Direction, Gate> = { up: new Gate(), down: new Gate() };
  readonly #traps = new Set<Trap>();
  readonly #links = new Set<Link>();

  private constructor(
    private readonly server: Server,
    private readonly targetPort: number,
  ) {
    server.on("connection", (client) => this.#join(client));
  }

  /** @param targetPort where the server listens on 127.0.0.1, now or later */
  static async listen(targetPort: number): Promise<Proxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Proxy(server, targetPort);
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

  /**
   * Does something at an exact byte, in the middle of the flow: that byte has not passed yet.
   * @param offset counted from the next byte on
   * @returns resolves when it was done
   */
  after(direction: Direction, offset: number, act: (next: Buffer) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const trap: Trap = {
      direction,
      offset: this.carried[direction] + offset,
      spring: (next) => {
        this.#traps.delete(trap);
        act(next);
        resolve();
      },
    };
    this.#traps.add(trap);
    return promise;
  }

  /** Lets nothing pass in a direction; both ends stay connected. */
  hold(direction: Direction): void {
    this.#gates[direction].close();
  }

  release(direction: Direction): void {
    this.#gates[direction].open();
  }

  /** Cuts every connection there is; a client may connect again at once. */
  cut(how: Cut): void {
    for (const link of this.#links) {
      this.#links.delete(link);
      for (const socket of [link.client, link.server]) {
        if (how === "rst") socket.resetAndDestroy();
        else socket.end();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut("rst");
    this.release("up");
    this.release("down");
    this.server.close();
    await once(this.server, "close");
  }

  #join(client: Socket): void {
    const server = connect({ port: this.targetPort, host: "127.0.0.1", allowHalfOpen: true });
    const link = { client, server };
    this.#links.add(link);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // It also ends the reading loop, which does the rest.
      socket.on("error", () => socket.destroy());
    }
    const ways = [
      this.#carry("up", link, client, server),
      this.#carry("down", link, server, client),
    ];
    void Promise.all(ways).then(() => this.#links.delete(link));
  }

  /** Carries one direction of one connection until it ends. */
  async #carry(direction: Direction, link: Link, from: Socket, to: Socket): Promise<void> {
    try {
      for await (const bytes of from) await this.#pass(direction, link, bytes, to);
      to.end();
    } catch {
      // Whatever one side met, a reset is how the other one hears of it.
      to.resetAndDestroy();
    }
  }

  async #pass(direction: Direction, link: Link, bytes: Buffer, to: Socket): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      for (const trap of this.#traps) {
        if (trap.direction === direction && trap.offset === this.carried[direction]) {
          trap.spring(rest);
        }
      }
      await this.#gates[direction].passed;
      // What comes after a cut goes nowhere.
      if (!this.#links.has(link)) return;
      const piece = rest.subarray(0, this.#untilNextTrap(direction));
      rest = rest.subarray(piece.length);
      this.carried[direction] += piece.length;
      if (!to.write(piece) && !to.destroyed) await drained(to);
      if (this.bytesPerSecond < Infinity) {
        await Bun.sleep((piece.length / this.bytesPerSecond) * 1000);
      }
    }
  }

  /** Bytes that may pass at once. */
  #untilNextTrap(direction: Direction): number {
    let free = this.bytesPerSecond < Infinity ? PIECE : Infinity;
    for (const trap of this.#traps) {
      if (trap.direction === direction)
        free = Math.min(free, trap.offset - this.carried[direction]);
    }
    return free;
  }
}

/** Resolves when a socket takes more, or never will. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      socket.off("drain", end).off("close", end);
      resolve();
    };
    socket.on("drain", end).on("close", end);
  });
}
