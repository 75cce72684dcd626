import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Where a connection is cut: before the server has a piece, after that, or before the client has one. */
export type Cut = { at: "request" | "arrival" | "answer"; piece: number };

/** A TCP proxy that cuts a connection once, at any place, or all of them, or takes none. */
export class CuttingProxy implements AsyncDisposable {
  readonly #clients = new Set<Socket>();
  #cut: Cut | null = null;
  #isDown = false;
  /** How many connections were not taken. */
  refused = 0;
  /** How many pieces came from clients, and from the server, since the last {@link cutAt}. */
  readonly pieces = { up: 0, down: 0 };

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** @param target port on loopback */
  static async start(target: number): Promise<CuttingProxy> {
    const server = createServer((client) => proxy.#take(client, target));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has no port");
    const proxy: CuttingProxy = new CuttingProxy(server, address.port);
    return proxy;
  }

  /** Cuts the connection on which a piece, counted from now on, comes; null: none. */
  cutAt(cut: Cut | null): void {
    this.#cut = cut;
    this.pieces.up = this.pieces.down = 0;
  }

  /** Cuts all connections, and takes no others. */
  goDown(): void {
    this.#isDown = true;
    for (const client of this.#clients) client.destroy();
  }

  comeBack(): void {
    this.#isDown = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.goDown();
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
    for (const socket of [client, upstream]) socket.setNoDelay(true).on("error", () => {});
    client.on("data", (bytes: Buffer) => this.#up(bytes, client, upstream));
    upstream.on("data", (bytes: Buffer) => this.#down(bytes, client));
    // What has arrived is done, whether somebody waits for the answer or not.
    client.on("close", () => {
      this.#clients.delete(client);
      upstream.end();
    });
    upstream.on("close", () => client.destroy());
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
