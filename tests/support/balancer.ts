import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * A TCP load balancer for several servers. Each connection goes to the first server in {@link order} that
 * accepts, and stays with that server until either side closes.
 */
export class Balancer implements AsyncDisposable {
  readonly #open = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    /** Loopback ports of the servers, in the order in which they are tried. */
    public order: readonly number[],
  ) {}

  static async start(ports: readonly number[]): Promise<Balancer> {
    const server = createServer({ noDelay: true }, (client) => void balancer.#join(client));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const balancer: Balancer = new Balancer(server, ports);
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Moves a server to the front of the order. Open connections are not affected. */
  prefer(port: number): void {
    this.order = [port, ...this.order.filter((other) => other !== port)];
  }

  /** Sends no new connections to a server, as a load balancer does after a failed health check. */
  avoid(port: number): void {
    this.order = this.order.filter((other) => other !== port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }

  async #join(client: Socket): Promise<void> {
    client.on("error", () => client.destroy());
    for (const port of this.order) {
      const server = await connected(port);
      if (!server) continue;
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#open.add(from);
        from.on("error", () => to.destroy());
        from.on("close", () => {
          this.#open.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
      return;
    }
    client.destroy();
  }
}

/**
 * Connects to a port on loopback.
 * @returns null if nothing listens on the port
 */
async function connected(port: number): Promise<Socket | null> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  try {
    await once(socket, "connect");
    return socket;
  } catch {
    socket.destroy();
    return null;
  }
}
