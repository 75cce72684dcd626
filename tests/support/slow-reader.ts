import { expect } from "bun:test";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** An HTTP client that reads only the first bytes of a response until {@link rest} is called. */
export class SlowReader {
  /**
   * Resolves when the connection ends. Created at the start, because the connection may end before
   * {@link rest} is called.
   */
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

  /** Reads until the connection ends. @returns the number of bytes received in total */
  async rest(): Promise<number> {
    this.socket.on("data", (part) => (this.bytes += part.length));
    this.socket.resume();
    await this.#end.promise;
    this.socket.destroy();
    return this.bytes;
  }
}
