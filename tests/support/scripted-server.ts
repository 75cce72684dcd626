import { decodeFrame, type Frame } from "../../lib/protocol/frame.ts";
import {
  type ClientMessage,
  type DownloadRequest,
  MAX_CHUNK_SIZE,
  parseClientMessage,
  SUBPROTOCOL,
} from "../../lib/protocol/messages.ts";
import { waitFor, within } from "./wait.ts";

/** One connection of a client to a scripted server. The server sends only what a test makes it send. */
export class ScriptedConnection {
  readonly #received: (ClientMessage | Frame)[] = [];
  readonly #closed = Promise.withResolvers<{ code: number; reason: string }>();

  constructor(private readonly socket: Bun.ServerWebSocket<unknown>) {}

  /** Resolves when the client has closed the connection. */
  get closed(): Promise<{ code: number; reason: string }> {
    return within(this.#closed.promise, "the end of the connection");
  }

  /** The number of file bytes received. */
  get bytesReceived(): number {
    return this.#received.reduce(
      (sum, each) => sum + ("payload" in each ? each.payload.length : 0),
      0,
    );
  }

  /** Returns all messages of a type, or all frames, received so far. */
  all<T extends ClientMessage["type"]>(type: T): Extract<ClientMessage, { type: T }>[];
  all(type: "frame"): Frame[];
  all(type: string): unknown[] {
    return this.#received.filter((each) => ("type" in each ? each.type : "frame") === type);
  }

  /** Returns the first message of a type. Waits for one if there is none yet. */
  async first<T extends ClientMessage["type"]>(
    type: T,
  ): Promise<Extract<ClientMessage, { type: T }>> {
    return waitFor(() => this.all(type)[0], `the client to send "${type}"`);
  }

  /** Sends a message as JSON text. */
  send(message: unknown): void {
    this.socket.sendText(JSON.stringify(message));
  }

  /** Sends text or bytes unchanged. */
  sendRaw(data: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
  }

  /** Waits for the client's registration and accepts it. */
  async admit(): Promise<void> {
    const { client_id } = await this.first("register");
    this.send({ type: "registered", client_id, version: "9.9.9" });
  }

  /** Sends a request for a file, from its first byte unless `fields` says otherwise. */
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

  /** Closes the connection with a WebSocket close code and a reason. */
  close(code: number, reason: string): void {
    this.socket.close(code, reason);
  }

  /** Records a message or a frame. Only {@link ScriptedServer} calls it. */
  take(data: string | Buffer): void {
    this.#received.push(
      typeof data === "string" ? parseClientMessage(data) : decodeFrame(data, MAX_CHUNK_SIZE),
    );
  }

  /** Records the end of the connection. Only {@link ScriptedServer} calls it. */
  end(code: number, reason: string): void {
    this.#closed.resolve({ code, reason });
  }
}

/**
 * A server that sends exactly the messages of a test, including ones that the real server would never send.
 */
export class ScriptedServer implements AsyncDisposable {
  readonly #connections: ScriptedConnection[] = [];
  readonly #server: Bun.Server<{ connection?: ScriptedConnection }>;
  #accepted = 0;

  /**
   * Starts the server on a free port.
   * @param protocol the subprotocol of its answer, whatever the client offers
   */
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

  /** The URL to give a client as its server. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** The number of connections made so far. */
  get dialled(): number {
    return this.#connections.length;
  }

  /** Returns the next connection that no earlier call returned. Waits for one if there is none yet. */
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
