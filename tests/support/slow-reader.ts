import { expect } from "bun:test";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Reads the first bytes of an answer, and the others later. */
export class SlowReader {
  /** From the beginning: it may be reset before the rest is asked for. */
  readonly #end = Promise.withResolvers<void>();

  private constructor(
    private readonly socket: Socket,
    private bytes: number,
  ) {
    socket.on("error", () => this.#end.resolve()).on("close", () => this.#end.resolve());
  }

  static async begin(port: number, path: string, headers: Record<string, string>) {
    const socket = connect(port, "127.0.0.1");
    const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...headers }).map((line) =>
      line.join(": "),
    );
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    const [first] = (await once(socket, "data")) as [Buffer];
    socket.pause();
    expect(first.toString("latin1")).toStartWith("HTTP/1.1 200 OK");
    return new SlowReader(socket, first.length);
  }

  /** All bytes that came, once the connection is reset. */
  async rest(): Promise<number> {
    this.socket.on("data", (part) => (this.bytes += part.length));
    this.socket.resume();
    await this.#end.promise;
    this.socket.destroy();
    return this.bytes;
  }
}
