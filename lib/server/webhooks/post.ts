import type { ClientRequest, IncomingMessage } from "node:http";
import { type Destinations, PrivateAddress } from "./destinations.ts";

/** How long a receiver has to answer, in ms, including the resolution of its name. */
export const ANSWER_WITHIN_MS = 15_000;

/** Most characters of an error that are kept. */
const MAX_ERROR = 300;

/** A message to send. */
export interface Posted {
  url: URL;
  headers: Record<string, string>;
  body: string;
}

/** The result of sending a message. */
export interface Answer {
  /** null: there was no answer. */
  status: number | null;
  /** Why there was no answer. */
  error: string | null;
  /** True: the receiver was reached, so another message may be accepted. */
  reached: boolean;
  /** Time until the next request that the receiver asks for, in ms; null: not stated. */
  retryAfterMs: number | null;
}

export type Post = (posted: Posted, signal: AbortSignal) => Promise<Answer>;

/**
 * Posts messages to checked addresses only: the name is resolved once, and only these addresses are
 * connected to. TLS and `Host` use the name. Only the head of the answer is read, and redirects are not
 * followed. Bun's `fetch` would need the address in the URL, and uses the environment's proxy; `node:http`
 * does not.
 * @param answerWithinMs how long a receiver has
 */
export function postTo(destinations: Destinations, answerWithinMs = ANSWER_WITHIN_MS): Post {
  return async (posted, signal) => {
    const within = AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]);
    const state = { reached: false };
    try {
      return await Promise.race([send(posted, destinations, within, state), aborted(within)]);
    } catch (error) {
      return { status: null, error: wordsOf(error), reached: state.reached, retryAfterMs: null };
    }
  };
}

async function send(
  { url, headers, body }: Posted,
  destinations: Destinations,
  signal: AbortSignal,
  state: { reached: boolean },
): Promise<Answer> {
  const addresses = await destinations.of(url);
  const isSecure = url.protocol === "https:";
  // Loaded with the first message: to load them takes a tenth of a server's start.
  const http = await (isSecure ? import("node:https") : import("node:http"));
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = http.request(url, {
    method: "POST",
    headers: { ...headers, "Content-Length": Buffer.byteLength(body), Connection: "close" },
    // A new connection: an open one was checked at another time.
    agent: false,
    signal,
    lookup: (_, __, found) => found(null, addresses),
  });
  request.once("response", resolve).once("error", reject);
  noteReached(request, isSecure ? "secureConnect" : "connect", state);
  request.end(body);
  try {
    const { statusCode = 0, headers: answered } = await promise;
    const retryAfterMs = retryAfterOf(answered["retry-after"]);
    return { status: statusCode, error: null, reached: true, retryAfterMs };
  } finally {
    // The rest of the answer is not read, as it may never end.
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

const WORDS: Record<string, string> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the connection was cut before an answer came",
  ENOTFOUND: "the name has no address",
  ENODATA: "the name has no address",
  EAI_AGAIN: "the name could not be looked up",
  EHOSTUNREACH: "there is no way to the address",
  ENETUNREACH: "there is no way to the address",
};

function wordsOf(error: unknown): string {
  if (error instanceof PrivateAddress) return error.message;
  if (error instanceof Error && error.name === "TimeoutError") {
    return `no answer came within ${ANSWER_WITHIN_MS / 1000} s`;
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = WORDS[code] ?? (error instanceof Error ? error.message : String(error));
  return text.length > MAX_ERROR ? `${text.slice(0, MAX_ERROR)}…` : text;
}
