import { type HandshakeAnswer, WebSocket, type WebSocketOptions } from "ws";
import type { ErrorCode } from "../protocol/errors.ts";
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from "../protocol/messages.ts";

/** How long, in ms, the server may take to answer a close frame of the client. */
const CLOSE_WITHIN_MS = 2_000;
/** Maximum number of characters of an unknown server's answer that are quoted in an error message. */
const MAX_QUOTED_CHARS = 200;

export interface DialOptions {
  /** URL of the server's WebSocket, such as `wss://HOST:PORT/ws`. */
  serverUrl: URL;
  tls: NonNullable<WebSocketOptions["tls"]>;
  /** URL of the proxy; null for a direct connection. */
  proxy: string | null;
}

/**
 * Begins to connect to the server. The socket limits the size of each message from the server, even if a
 * message is split into several frames.
 * @throws Error when the runtime refuses the options
 */
export function dial({ serverUrl, tls, proxy }: DialOptions): WebSocket {
  return new WebSocket(serverUrl, [SUBPROTOCOL], {
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    closeTimeout: CLOSE_WITHIN_MS,
    ...(serverUrl.protocol === "wss:" && { tls }),
    ...(proxy !== null && { proxy }),
  });
}

/** Describes the HTTP answer of a server that did not open a WebSocket. */
export function describeAnswer({ statusCode, statusMessage, headers }: HandshakeAnswer): string {
  const answer = `${statusCode} ${statusMessage}`.trim().slice(0, MAX_QUOTED_CHARS);
  const location = headers["location"]?.slice(0, MAX_QUOTED_CHARS);
  return location === undefined
    ? `the server answered ${answer} and opened no WebSocket`
    : `the server answered ${answer} and leads to "${location}", check SERVER_URL`;
}

/**
 * Returns the protocol's code for a socket error. Undefined if the error is not about invalid data from the
 * server.
 */
export function codeOfSocketError({ code }: { code?: string }): ErrorCode | undefined {
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return "message_too_large";
  return code?.startsWith("WS_ERR_") ? "protocol_error" : undefined;
}
