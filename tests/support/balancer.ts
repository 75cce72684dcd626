import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * What is before several servers: each connection goes to the first server of a list that takes it, and
 * is there until one of the two ends it.
 */
export class Balancer implements AsyncDisposable {
  readonly #open = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    /** Ports of the servers on loopback, the one to be asked first first. */
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

  /** Asks a server before all others from now on; connections that are there stay where they are. */
  prefer(port: number): void {
    this.order = [port, ...this.order.filter((other) => other !== port)];
  }

  /** Sends no other connection to a server, as its health is bad. */
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

/** @returns null where nobody listens */
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
