import { connect, createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { waitFor } from "../../support/wait.ts";

/** Returns a free port of 127.0.0.1, for programs that cannot choose a port themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Waits until a program listens on a port of 127.0.0.1.
 * @param what name of the program for the error message, such as `"nginx"`
 */
export async function untilListening(port: number, what: string): Promise<void> {
  await waitFor(() => answers(port), `${what} to listen`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
