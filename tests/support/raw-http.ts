import { connect } from "node:net";
import { waitFor } from "./wait.ts";

const EVENTS = /^content-type: text\/event-stream/im;

export interface RawAnswer {
  /** The HTTP status. NaN if the server sent no response. */
  status: number;
  headers: Headers;
  body: string;
}

/**
 * After this time without a response, in ms, the sending side is closed, because the server may wait for
 * more.
 */
const PATIENCE = 500;

/** Time limit for the server to answer or close, in ms. */
const DEADLINE = 60_000;

/**
 * Sends bytes to an HTTP server and reads until the server closes. An endless response of server-sent events
 * is only read up to its first bytes.
 * @param isWhole true if the bytes are a complete request, so that a slow server is given time
 * @throws Error if the server neither answers nor closes
 */
export async function sendRaw(
  port: number,
  bytes: Uint8Array | string,
  isWhole = false,
): Promise<RawAnswer> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  // After a reset, the bytes received until then are the response.
  socket.on("error", () => socket.destroy());
  let text = "";
  socket.setEncoding("utf8").on("data", (part) => {
    text += part;
    if (text.includes("\r\n\r\n") && EVENTS.test(text)) socket.destroy();
  });
  socket.on("end", () => socket.end());
  socket.write(bytes);
  const hangUp = () => !isWhole && Number.isNaN(parse(text).status) && socket.end();
  const patience = setTimeout(hangUp, PATIENCE);
  const closed = Promise.withResolvers<void>();
  // `once()` of node:events would treat a connection reset as an error.
  socket.on("close", () => closed.resolve());
  const hung = setTimeout(() => {
    closed.reject(new Error(`the server neither answers nor closes in ${DEADLINE / 1000} s`));
  }, DEADLINE);
  try {
    await closed.promise;
  } finally {
    clearTimeout(hung);
    clearTimeout(patience);
    socket.destroy();
  }
  return parse(text);
}

/**
 * Sends a request, and delays the last byte of its body until a callback has run.
 * @param lines of the request's head, without Content-Length
 * @param meanwhile called after the server has read the head
 */
export async function sendLastByteLate(
  port: number,
  lines: string[],
  body: string,
  meanwhile: () => Promise<void>,
): Promise<RawAnswer> {
  const socket = connect({ port, host: "127.0.0.1" });
  const closed = Promise.withResolvers<void>();
  socket.on("error", closed.reject).on("close", () => closed.resolve());
  let text = "";
  socket.setEncoding("utf8").on("data", (part) => (text += part));
  // With `Expect: 100-continue` the server asks for the body after it has read the head.
  const rest = [`Content-Length: ${body.length}`, "Expect: 100-continue", "Connection: close"];
  socket.write(`${[...lines, `Host: 127.0.0.1:${port}`, ...rest].join("\r\n")}\r\n\r\n`);
  try {
    await waitFor(() => text.startsWith("HTTP/1.1 100 "), "the server to ask for the body");
    socket.write(body.slice(0, -1));
    await meanwhile();
    socket.write(body.slice(-1));
    await closed.promise;
  } finally {
    socket.destroy();
  }
  return parse(text);
}

function parse(text: string): RawAnswer {
  const parts = text.split("\r\n\r\n");
  // An interim response "100 Continue" comes before the real one.
  while (parts[0]?.startsWith("HTTP/1.1 100 ")) parts.shift();
  const [head = "", ...rest] = parts;
  const [first = "", ...fields] = head.split("\r\n");
  const headers = new Headers(fields.map((field) => field.split(": ") as [string, string]));
  const status = Number.parseInt(first.split(" ")[1] ?? "", 10);
  return { status, headers, body: rest.join("\r\n\r\n") };
}
