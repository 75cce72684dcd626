import { type HandshakeAnswer, WebSocket, type WebSocketOptions } from "ws";
import type { ErrorCode } from "../protocol/errors.ts";
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from "../protocol/messages.ts";

/** How long the server has, in ms, to end a connection that the client closes. */
const CLOSE_WITHIN_MS = 2_000;
/** Most characters of an unknown server's answer in a message. */
const MAX_SHOWN = 200;

export interface DialOptions {
  /** `ws://HOST:PORT/ws`, or wss. */
  serverUrl: URL;
  tls: NonNullable<WebSocketOptions["tls"]>;
  /** URL of a proxy, or null. */
  proxy: string | null;
}

/**
 * Begins to connect. From here on, the size of the server's messages is limited, in one frame or in many.
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

/** Describes the answer of a server that opens no WebSocket. */
export function describeAnswer({ statusCode, statusMessage, headers }: HandshakeAnswer): string {
  const answer = `${statusCode} ${statusMessage}`.trim().slice(0, MAX_SHOWN);
  const location = headers["location"]?.slice(0, MAX_SHOWN);
  return location === undefined
    ? `the server answered ${answer} and opened no WebSocket`
    : `the server answered ${answer} and leads to "${location}", check SERVER_URL`;
}

/** The protocol's code for an error that the runtime found in what the server sent; undefined: none. */
export function codeOfSocketError({ code }: { code?: string }): ErrorCode | undefined {
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return "message_too_large";
  return code?.startsWith("WS_ERR_") ? "protocol_error" : undefined;
}
