import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * The moment at which a connection is cut. `request`: instead of passing on a chunk from the client.
 * `arrival`: right after passing on such a chunk. `answer`: instead of passing on a chunk from the server.
 */
export type Cut = { at: "request" | "arrival" | "answer"; piece: number };

/**
 * A TCP proxy that can cut a connection at a chosen chunk, cut and refuse all, or stop forwarding without
 * closing.
 */
export class CuttingProxy implements AsyncDisposable {
  readonly #clients = new Set<Socket>();
  readonly #servers = new Set<Socket>();
  #isSilent = false;
  /** Client sockets of the connections on which nothing is forwarded. */
  readonly #silent = new Set<Socket>();
  /** Delayed writes and closings of the silent connections, in order. {@link arriveLate} runs them. */
  readonly #late: (() => void)[] = [];
  #cut: Cut | null = null;
  #isDown = false;
  /** The number of connections refused while the proxy was down. */
  refused = 0;
  /** The number of chunks from clients (`up`) and from the server (`down`) since the last {@link cutAt}. */
  readonly pieces = { up: 0, down: 0 };

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** Starts a proxy to a port on loopback. @param target the port of the server */
  static async start(target: number): Promise<CuttingProxy> {
    const server = createServer((client) => proxy.#take(client, target));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has no port");
    const proxy: CuttingProxy = new CuttingProxy(server, address.port);
    return proxy;
  }

  /** Sets the chunk at which a connection is cut, counted from this call. Null cuts none. */
  cutAt(cut: Cut | null): void {
    this.#cut = cut;
    this.pieces.up = this.pieces.down = 0;
  }

  /** Cuts all connections, and refuses new ones until {@link comeBack}. */
  goDown(): void {
    this.#isDown = true;
    for (const client of this.#clients) client.destroy();
  }

  comeBack(): void {
    this.#isDown = false;
  }

  /** Forwards no bytes and no closing of connections any more, like a network that loses all packets. */
  goSilent(): void {
    this.#isSilent = true;
    for (const client of this.#clients) this.#silent.add(client);
  }

  /**
   * Forwards the bytes of connections that are opened later. Nothing is forwarded on those that were open
   * during the silence.
   */
  speakAgain(): void {
    this.#isSilent = false;
  }

  /**
   * Forwards what was sent on silent connections, as late TCP retransmissions would, even if the client is
   * gone.
   */
  arriveLate(): void {
    this.#silent.clear();
    for (const act of this.#late.splice(0)) act();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.goDown();
    for (const server of this.#servers) server.destroy();
    this.server.close();
    await once(this.server, "close");
  }

  #take(client: Socket, target: number): void {
    if (this.#isDown) {
      this.refused++;
      return void client.destroy();
    }
    const upstream = connect(target, "127.0.0.1");
    this.#clients.add(client);
    if (this.#isSilent) this.#silent.add(client);
    this.#servers.add(upstream);
    for (const socket of [client, upstream]) socket.setNoDelay(true).on("error", () => {});
    const pass = (act: () => void) =>
      this.#silent.has(client) ? void this.#late.push(act) : act();
    client.on("data", (bytes: Buffer) => pass(() => this.#up(bytes, client, upstream)));
    upstream.on("data", (bytes: Buffer) => pass(() => this.#down(bytes, client)));
    // `end` lets the server handle all bytes that were forwarded, even though its client is gone.
    client.on("close", () => {
      this.#clients.delete(client);
      pass(() => upstream.end());
    });
    upstream.on("close", () => {
      this.#servers.delete(upstream);
      pass(() => client.destroy());
    });
  }

  #up(bytes: Buffer, client: Socket, upstream: Socket): void {
    const piece = this.pieces.up++;
    if (!this.#isCutAt("request", piece)) upstream.write(bytes);
    else client.destroy();
    if (this.#isCutAt("arrival", piece)) client.destroy();
  }

  #down(bytes: Buffer, client: Socket): void {
    if (client.destroyed) return;
    if (this.#isCutAt("answer", this.pieces.down++)) client.destroy();
    else client.write(bytes);
  }

  #isCutAt(at: Cut["at"], piece: number): boolean {
    return this.#cut?.at === at && this.#cut.piece === piece;
  }
}
