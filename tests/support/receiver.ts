import { Webhook } from "standardwebhooks";
import { waitFor } from "./wait.ts";

/** A message as a receiver got it. */
export interface Received {
  id: string;
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
  headers: Record<string, string>;
  body: string;
  path: string;
}

/** What a receiver answers; the messages before are those that came before. */
export type Answering = (message: Received, before: Received[]) => Response | Promise<Response>;

/** Somebody who is told by webhooks, on this machine; it knows the messages by a verifier of others. */
export class Receiver implements Disposable {
  readonly messages: Received[] = [];
  /** What it answers from now on. */
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

  /** Is there, or is there again. */
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

  /** Is dead: nobody listens, and what is connected is cut. */
  stop(): void {
    void this.#server?.stop(true);
    this.#server = undefined;
  }

  /** The messages about something, by the end of their subject's id. */
  about(id: string): Received[] {
    return this.messages.filter(({ body }) => body.includes(id));
  }

  /** The message, if it is one of whoever has the secret. @throws Error: it is not */
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

/** Waits for a message of a type. @param id stands in its body */
export const received = (receiver: Receiver, type: string, id = "") =>
  waitFor(
    () => receiver.messages.find((one) => one.type === type && one.body.includes(id)),
    `${type} of ${id}`,
  );
