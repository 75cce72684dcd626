import { Webhook } from "standardwebhooks";
import { waitFor } from "./wait.ts";

/** A webhook's message, as the receiver got it. */
export interface Received {
  id: string;
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
  headers: Record<string, string>;
  body: string;
  path: string;
}

/** Makes the response to a message. `before` holds the messages that arrived earlier. */
export type Answering = (message: Received, before: Received[]) => Response | Promise<Response>;

/** An HTTP server that receives webhooks. Messages are verified by the library `standardwebhooks`. */
export class Receiver implements Disposable {
  readonly messages: Received[] = [];
  /** Makes the response to each message. Tests may replace it at any time. */
  answer: Answering = () => new Response("thanks");
  #server: Bun.Server<undefined> | undefined;
  #port = 0;

  constructor(private readonly tls?: { cert: string; key: string }) {
    this.start();
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `${this.tls ? "https" : "http"}://127.0.0.1:${this.#port}/hook`;
  }

  /** Starts to listen, or listens again on the same port. */
  start(): void {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: this.#port,
      ...(this.tls && { tls: this.tls }),
      idleTimeout: 0,
      fetch: (request) => this.#take(request),
    });
    this.#port = this.#server.port!;
  }

  /** Closes the port and all connections. */
  stop(): void {
    void this.#server?.stop(true);
    this.#server = undefined;
  }

  /** Returns the messages whose body contains an id. */
  about(id: string): Received[] {
    return this.messages.filter(({ body }) => body.includes(id));
  }

  /** Verifies a message's signature and returns its content. @throws Error if the signature is wrong */
  static verify({ body, headers }: Received, secret: string): unknown {
    return new Webhook(secret).verify(body, headers);
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  async #take(request: Request): Promise<Response> {
    const body = await request.text();
    const { type, timestamp, data } = JSON.parse(body) as Received;
    const headers = Object.fromEntries(request.headers);
    const id = headers["webhook-id"] ?? "";
    const path = new URL(request.url).pathname;
    const message = { id, type, timestamp, data, headers, body, path };
    const before = [...this.messages];
    this.messages.push(message);
    return this.answer(message, before);
  }
}

/** Waits for a message of a type. @param id text that the message's body must contain */
export const received = (receiver: Receiver, type: string, id = "") =>
  waitFor(
    () => receiver.messages.find((one) => one.type === type && one.body.includes(id)),
    `${type} of ${id}`,
  );
