import { connect } from "node:net";
import { waitFor } from "./wait.ts";

const EVENTS = /^content-type: text\/event-stream/im;

export interface RawAnswer {
  /** NaN where none came. */
  status: number;
  headers: Headers;
  body: string;
}

/** A server that has said nothing for this long, in ms, may wait for more: it is told there is none. */
const PATIENCE = 500;

/** An answer that is not there after this time never comes, in ms. */
const DEADLINE = 60_000;

/**
 * Sends bytes to an HTTP server and reads until it closes, or until an answer begins that is a
 * stream of events, which never ends.
 * @param isWhole nothing more can be expected of them: a busy server has time to answer
 * @throws Error when the server neither answers nor closes
 */
export async function sendRaw(
  port: number,
  bytes: Uint8Array | string,
  isWhole = false,
): Promise<RawAnswer> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  // What was cut off is seen at what came until then.
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
  // Not by once() of events, for which a connection that is reset is an error.
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
 * Sends a call, whose last byte is held back while something else happens.
 * @param lines of its head, without the length
 * @param meanwhile called once the server has read the head
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
  // The server asks for the body, once it knows what is called.
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
  // "Go on" is no answer yet.
  while (parts[0]?.startsWith("HTTP/1.1 100 ")) parts.shift();
  const [head = "", ...rest] = parts;
  const [first = "", ...fields] = head.split("\r\n");
  const headers = new Headers(fields.map((field) => field.split(": ") as [string, string]));
  const status = Number.parseInt(first.split(" ")[1] ?? "", 10);
  return { status, headers, body: rest.join("\r\n\r\n") };
}
