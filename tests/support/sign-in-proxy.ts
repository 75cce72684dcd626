import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Certificate } from "./certificates.ts";

/**
 * Starts an HTTP proxy that requires a password, and resolves every host name to this machine.
 * @param credentials `USER:PASSWORD`
 * @param certificate makes the proxy use TLS itself
 */
export async function signInProxy(credentials: string, certificate?: Certificate) {
  const expected = `Proxy-Authorization: Basic ${btoa(credentials)}\r\n`;
  const state = { asked: 0, tunnels: 0 };
  const serve = (client: Socket) => {
    client.on("error", () => client.destroy());
    client.once("data", (head) => {
      state.asked++;
      const port = /^CONNECT \S+:(\d+) /.exec(head.toString())?.[1];
      if (!port || !head.includes(expected)) {
        return client.end(
          "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        );
      }
      const target = connect(Number(port), "127.0.0.1", () => {
        state.tunnels++;
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        client.pipe(target).pipe(client);
      });
      target.on("error", () => client.destroy());
    });
  };
  const server = certificate
    ? createTlsServer(
        { cert: await readFile(certificate.cert), key: await readFile(certificate.key) },
        serve,
      )
    : createServer(serve);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get asked() {
      return state.asked;
    },
    get tunnels() {
      return state.tunnels;
    },
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
