import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { TlsPems } from "../tls-files.ts";

/** A host and a port. */
export interface Place {
  host: string;
  port: number;
}

const PORTS: Record<string, number> = { "ws:": 80, "http:": 80, "wss:": 443, "https:": 443 };

/** Maximum number of bytes of a proxy's answer that are read. */
const MAX_ANSWER = 8 * 1024;

/** Returns the host and port of a URL. */
export function placeOf(url: URL): Place {
  const port = url.port === "" ? (PORTS[url.protocol] ?? 0) : Number(url.port);
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port };
}

/** Opens a TCP connection. @throws an error of the system */
export async function openTcp({ host, port }: Place, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port });
  await opened(socket, "connect", signal);
  return socket;
}

export interface Tunnel {
  socket: Socket;
  /** The first line of the proxy's answer. */
  answer: string;
  /** Whether the proxy has opened the tunnel. */
  isOpen: boolean;
}

/**
 * Asks a proxy for a tunnel to a server by HTTP CONNECT, as the client's connection does.
 * @param pems contents of the client's TLS files, used if the proxy's URL begins with https:
 * @throws an error of the system
 */
export async function openTunnel(
  proxy: URL,
  target: Place,
  pems: TlsPems,
  signal: AbortSignal,
): Promise<Tunnel> {
  const place = placeOf(proxy);
  const plain = await openTcp(place, signal);
  const socket =
    proxy.protocol === "https:" ? await proxyTls(plain, place.host, pems, signal) : plain;
  const name = `${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}`;
  const user = decodeURIComponent(proxy.username);
  const secret = `${user}:${decodeURIComponent(proxy.password)}`;
  const lines = [`CONNECT ${name} HTTP/1.1`, `Host: ${name}`];
  if (user !== "") lines.push(`Proxy-Authorization: Basic ${btoa(secret)}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  const answer = await headOf(socket, signal);
  return { socket, answer, isOpen: /^HTTP\/1\.[01] 2\d\d\b/.test(answer) };
}

async function proxyTls(
  socket: Socket,
  host: string,
  pems: TlsPems,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const secure = connectTls({ socket, ...pems, ...serverName(host) });
  await opened(secure, "secureConnect", signal);
  return secure;
}

/** Returns the TLS option for the server name to be verified; no option for an IP address. */
export function serverName(host: string): { servername?: string } {
  return isIP(host) ? {} : { servername: host };
}

/** Waits until a socket is connected. @throws the socket's error, after destroying the socket */
export async function opened(
  socket: Socket,
  event: "connect" | "secureConnect",
  signal: AbortSignal,
): Promise<void> {
  try {
    await once(socket, event, { signal });
    // A later error closes the socket. Code that reads from the socket then gets the event "close".
    socket.on("error", () => socket.destroy());
  } catch (error) {
    socket.on("error", () => undefined).destroy();
    throw error;
  }
}

/**
 * Reads an HTTP answer until its head is complete.
 * @returns the first line, at most 200 characters; incomplete if the connection ends or `signal` is aborted
 *   early
 */
async function headOf(socket: Socket, signal: AbortSignal): Promise<string> {
  let text = "";
  const whole = Promise.withResolvers<void>();
  const take = (bytes: Buffer) => {
    text += bytes.toString("latin1");
    if (text.includes("\r\n\r\n") || text.length > MAX_ANSWER) whole.resolve();
  };
  socket.on("data", take).on("close", () => whole.resolve());
  signal.addEventListener("abort", () => whole.resolve());
  await whole.promise;
  socket.off("data", take);
  return text.split("\r\n")[0]?.slice(0, 200) ?? "";
}
