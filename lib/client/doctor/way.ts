import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { TlsPems } from "../tls-files.ts";

/** A host and a port. */
export interface HostPort {
  host: string;
  port: number;
}

const PORTS: Record<string, number> = { "ws:": 80, "http:": 80, "wss:": 443, "https:": 443 };

/** Maximum number of bytes of a proxy's answer that are read. */
const MAX_ANSWER = 8 * 1024;

/** Returns the host and port of a URL. */
export function hostPortOf(url: URL): HostPort {
  const port = url.port === "" ? (PORTS[url.protocol] ?? 0) : Number(url.port);
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port };
}

/** Opens a TCP connection. @throws an error of the system */
export async function openTcp({ host, port }: HostPort, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port });
  await waitUntilConnected(socket, "connect", signal);
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
  target: HostPort,
  pems: TlsPems,
  signal: AbortSignal,
): Promise<Tunnel> {
  const proxyHostPort = hostPortOf(proxy);
  const plain = await openTcp(proxyHostPort, signal);
  const socket =
    proxy.protocol === "https:" ? await startTls(plain, proxyHostPort.host, pems, signal) : plain;
  const name = `${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}`;
  const user = decodeURIComponent(proxy.username);
  const secret = `${user}:${decodeURIComponent(proxy.password)}`;
  const lines = [`CONNECT ${name} HTTP/1.1`, `Host: ${name}`];
  if (user !== "") lines.push(`Proxy-Authorization: Basic ${btoa(secret)}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  const answer = await readFirstLine(socket, signal);
  return { socket, answer, isOpen: /^HTTP\/1\.[01] 2\d\d\b/.test(answer) };
}

async function startTls(
  socket: Socket,
  host: string,
  pems: TlsPems,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const secure = connectTls({ socket, ...pems, ...serverName(host) });
  await waitUntilConnected(secure, "secureConnect", signal);
  return secure;
}

/** Returns the TLS option for the server name to be verified; no option for an IP address. */
export function serverName(host: string): { servername?: string } {
  return isIP(host) ? {} : { servername: host };
}

/** Waits until a socket is connected. @throws the socket's error, after destroying the socket */
export async function waitUntilConnected(
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
async function readFirstLine(socket: Socket, signal: AbortSignal): Promise<string> {
  let text = "";
  const complete = Promise.withResolvers<void>();
  const take = (bytes: Buffer) => {
    text += bytes.toString("latin1");
    if (text.includes("\r\n\r\n") || text.length > MAX_ANSWER) complete.resolve();
  };
  socket.on("data", take).on("close", () => complete.resolve());
  signal.addEventListener("abort", () => complete.resolve());
  await complete.promise;
  socket.off("data", take);
  return text.split("\r\n")[0]?.slice(0, 200) ?? "";
}
