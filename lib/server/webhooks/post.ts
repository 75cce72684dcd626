import type { ClientRequest, IncomingMessage } from "node:http";
import { type Destinations, PrivateAddress } from "./destinations.ts";

/** Time in ms within which a webhook's receiver must answer, including the resolution of its name. */
export const ANSWER_WITHIN_MS = 15_000;

/** Limit on the stored characters of an error message. */
const MAX_ERROR_LENGTH = 300;

/** A webhook message to send by HTTP POST. */
export interface PostRequest {
  url: URL;
  headers: Record<string, string>;
  body: string;
}

/** The result of sending a webhook message. */
export interface Answer {
  /** HTTP status of the response; null: no response came. */
  status: number | null;
  /** Why no response came; null: one came. */
  error: string | null;
  /** Whether a connection to the receiver was made. If so, the receiver may accept other messages. */
  reached: boolean;
  /** Delay in ms before the next request, as the response's `Retry-After` demands; null: not stated. */
  retryAfterMs: number | null;
}

export type Post = (request: PostRequest, signal: AbortSignal) => Promise<Answer>;

/**
 * Returns a function that posts messages to checked addresses only. It resolves the host name once, and
 * connects only to the addresses that were checked. TLS and the header `Host` still have the name. Only the
 * head of the response is read, and redirects are not followed. It uses `node:http`, because Bun's `fetch`
 * cannot connect to a given address, and would use the environment's proxy.
 * @param answerWithinMs time in ms within which the receiver must respond
 */
export function postTo(destinations: Destinations, answerWithinMs = ANSWER_WITHIN_MS): Post {
  return async (request, signal) => {
    const endSignal = AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]);
    const state = { reached: false };
    try {
      return await Promise.race([
        send(request, destinations, endSignal, state),
        aborted(endSignal),
      ]);
    } catch (error) {
      return {
        status: null,
        error: messageOf(error, answerWithinMs),
        reached: state.reached,
        retryAfterMs: null,
      };
    }
  };
}

async function send(
  { url, headers, body }: PostRequest,
  destinations: Destinations,
  signal: AbortSignal,
  state: { reached: boolean },
): Promise<Answer> {
  const addresses = await destinations.addressesOf(url);
  const isSecure = url.protocol === "https:";
  // Imported only when the first message is sent, as loading the module takes a tenth of the server's start
  // time.
  const http = await (isSecure ? import("node:https") : import("node:http"));
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = http.request(url, {
    method: "POST",
    headers: { ...headers, "Content-Length": Buffer.byteLength(body), Connection: "close" },
    // Makes a new connection for each message, as the address of a connection that was kept open would have
    // been checked too long ago.
    agent: false,
    signal,
    lookup: (_, __, callback) => callback(null, addresses),
  });
  request.once("response", resolve).once("error", reject);
  noteReached(request, isSecure ? "secureConnect" : "connect", state);
  request.end(body);
  try {
    const { statusCode = 0, headers: responseHeaders } = await promise;
    const retryAfterMs = retryAfterOf(responseHeaders["retry-after"]);
    return { status: statusCode, error: null, reached: true, retryAfterMs };
  } finally {
    // Closes the connection without reading the body of the response, which may never end.
    request.once("error", () => undefined);
    request.destroy();
  }
}

function noteReached(request: ClientRequest, event: string, state: { reached: boolean }): void {
  request.once("socket", (socket) => socket.once(event, () => (state.reached = true)));
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function retryAfterOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : null;
}

const ERROR_MESSAGES: Record<string, string> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the connection was cut before an answer came",
  ENOTFOUND: "the name has no address",
  ENODATA: "the name has no address",
  EAI_AGAIN: "the name could not be looked up",
  EHOSTUNREACH: "there is no way to the address",
  ENETUNREACH: "there is no way to the address",
};

function messageOf(error: unknown, answerWithinMs: number): string {
  if (error instanceof PrivateAddress) return error.message;
  if (error instanceof Error && error.name === "TimeoutError") {
    return `no answer came within ${answerWithinMs / 1000} s`;
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = ERROR_MESSAGES[code] ?? (error instanceof Error ? error.message : String(error));
  return text.length > MAX_ERROR_LENGTH ? `${text.slice(0, MAX_ERROR_LENGTH)}…` : text;
}
