import { decodeFrame, type Frame } from "../../lib/protocol/frame.ts";
import {
  type ClientMessage,
  type DownloadRequest,
  MAX_CHUNK_SIZE,
  parseClientMessage,
  SUBPROTOCOL,
} from "../../lib/protocol/messages.ts";
import { waitFor, within } from "./wait.ts";

/** One connection of a client, on which the server says what a test makes it say. */
export class ScriptedConnection {
  readonly #received: (ClientMessage | Frame)[] = [];
  readonly #closed = Promise.withResolvers<{ code: number; reason: string }>();

  constructor(private readonly socket: Bun.ServerWebSocket<unknown>) {}

  /** Resolves when the client ended the connection. */
  get closed(): Promise<{ code: number; reason: string }> {
    return within(this.#closed.promise, "the end of the connection");
  }

  /** Bytes of files that came. */
  get bytesReceived(): number {
    return this.#received.reduce(
      (sum, each) => sum + ("payload" in each ? each.payload.length : 0),
      0,
    );
  }

  /** Everything of a type, or every frame, that came so far. */
  all<T extends ClientMessage["type"]>(type: T): Extract<ClientMessage, { type: T }>[];
  all(type: "frame"): Frame[];
  all(type: string): unknown[] {
    return this.#received.filter((each) => ("type" in each ? each.type : "frame") === type);
  }

  /** Waits for a message of a type; gives the first that there is. */
  async first<T extends ClientMessage["type"]>(
    type: T,
  ): Promise<Extract<ClientMessage, { type: T }>> {
    return waitFor(() => this.all(type)[0], `the client to send "${type}"`);
  }

  /** Sends something as JSON. */
  send(message: unknown): void {
    this.socket.sendText(JSON.stringify(message));
  }

  /** Sends it as it is. */
  sendRaw(data: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
  }

  /** Lets the client in. */
  async admit(): Promise<void> {
    const { client_id } = await this.first("register");
    this.send({ type: "registered", client_id, version: "9.9.9" });
  }

  /** Asks for a file, from its first byte unless the fields say something else. */
  request(stream: number, file_path: string, fields: Partial<DownloadRequest> = {}): void {
    this.send({
      type: "download_request",
      stream,
      epoch: 1,
      download_id: "0198c0de-0000-7000-8000-000000000000",
      file_path,
      chunk_size: 64 * 1024,
      offset: 0,
      max_offset: 1024 * 1024,
      ...fields,
    });
  }

  /** Ends the connection. */
  close(code: number, reason: string): void {
    this.socket.close(code, reason);
  }

  /** Called by the server alone. */
  take(data: string | Buffer): void {
    this.#received.push(
      typeof data === "string" ? parseClientMessage(data) : decodeFrame(data, MAX_CHUNK_SIZE),
    );
  }

  /** Called by the server alone. */
  end(code: number, reason: string): void {
    this.#closed.resolve({ code, reason });
  }
}

/** A server that speaks the protocol by hand, and so can say what no server of ours would. */
export class ScriptedServer implements AsyncDisposable {
  readonly #connections: ScriptedConnection[] = [];
  readonly #server: Bun.Server<{ connection?: ScriptedConnection }>;
  #accepted = 0;

  /** @param protocol what it answers, whatever is offered */
  constructor(protocol = SUBPROTOCOL) {
    this.#server = Bun.serve<{ connection?: ScriptedConnection }>({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, server) => {
        const headers = { "Sec-WebSocket-Protocol": protocol };
        if (server.upgrade(request, { data: {}, headers })) return undefined;
        return new Response("no", { status: 400 });
      },
      websocket: {
        idleTimeout: 0,
        open: (socket) => {
          socket.data.connection = new ScriptedConnection(socket);
          this.#connections.push(socket.data.connection);
        },
        message: (socket, data) => socket.data.connection?.take(data),
        close: (socket, code, reason) => socket.data.connection?.end(code, reason),
      },
    });
  }

  /** What to give a client as its server. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** How many connections there were. */
  get dialled(): number {
    return this.#connections.length;
  }

  /** The next connection, now or later. */
  async accept(): Promise<ScriptedConnection> {
    const connection = await waitFor(
      () => this.#connections[this.#accepted],
      "the client to connect",
    );
    this.#accepted++;
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}
