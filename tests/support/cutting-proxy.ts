import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Where a connection is cut: before the server has a piece, after that, or before the client has one. */
export type Cut = { at: "request" | "arrival" | "answer"; piece: number };

/** A TCP proxy that cuts a connection once, at any place, or all of them, or takes none, or is silent. */
export class CuttingProxy implements AsyncDisposable {
  readonly #clients = new Set<Socket>();
  readonly #servers = new Set<Socket>();
  #isSilent = false;
  /** Connections on which nothing arrives, by the sockets of their clients. */
  readonly #silent = new Set<Socket>();
  /** What is to be done on these once they are heard again, in its order. */
  readonly #late: (() => void)[] = [];
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

  /** Lets nothing through any more, the ends of connections neither: as a network that loses all packets. */
  goSilent(): void {
    this.#isSilent = true;
    for (const client of this.#clients) this.#silent.add(client);
  }

  /** Lets through what connections send that begin now. On the others nothing is heard, as if they were forgotten. */
  speakAgain(): void {
    this.#isSilent = false;
  }

  /** Hands on what was sent on the others, as TCP sends it again, also where a connection was given up meanwhile. */
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
    // What has arrived is done, whether somebody waits for the answer or not.
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
