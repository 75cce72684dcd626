import { afterEach, beforeEach, jest } from "bun:test";
import { encodeFrame } from "../../lib/protocol/frame.ts";
import type { Register } from "../../lib/protocol/messages.ts";
import type { ProbeAnswer } from "../../lib/server/clients/registered-client.ts";
import { Session, type SessionHost } from "../../lib/server/clients/session.ts";
import type { Socket } from "../../lib/server/clients/socket.ts";
import { Logger } from "../../lib/util/logger.ts";

/** A WebSocket that records the calls of its methods. */
class FakeSocket implements Socket {
  readonly remoteAddress = "127.0.0.1";
  readonly sent: unknown[] = [];
  pings = 0;
  /** The payload of the last ping. */
  asked = "";
  closed: [code: number, reason: string] | undefined;
  terminated = false;
  /** The return value of sendText(). 0 means that the message was dropped. */
  taken = 1;

  sendText(text: string): number {
    this.sent.push(JSON.parse(text));
    return this.taken;
  }
  ping(data = ""): number {
    this.asked = data;
    return ++this.pings;
  }
  close(code: number, reason: string): void {
    this.closed = [code, reason];
  }
  terminate(): void {
    this.terminated = true;
  }
}

/** Accepts every registration, unless a test sets {@link refusal}. */
class FakeHost implements SessionHost {
  refusal: Error | undefined;
  endings = 0;

  async register(session: Session, message: Register): Promise<void> {
    if (this.refusal) throw this.refusal;
    const { client_id: clientId, chunk_size: chunkSize } = message;
    session.registered(
      { clientId, keyHash: "h", chunkSize, features: new Set<string>(), connectedAt: 0 },
      { version: "9.9.9" },
    );
  }
  async probe(): Promise<ProbeAnswer> {
    if (this.refusal) throw this.refusal;
    return { version: "9.9.9", enrols: false, connected: true };
  }
  ended(): void {
    this.endings++;
  }
}

/** A valid registration message. */
export const REGISTER = {
  type: "register",
  client_id: "restaurant-001",
  key: "a-secret-key",
  enroll_token: "a-secret-token",
  version: "1.0.0",
  hostname: "till",
  platform: "linux x64",
  chunk_size: 4096,
};
/** A frame of a stream that was never opened. */
export const FRAME = encodeFrame({ stream: 1, epoch: 1, offset: 0 }, new Uint8Array([1]));

export let socket: FakeSocket;
export let host: FakeHost;
export let log: string[];
export let session: Session;

/** Creates a new session on the same fake socket. The session has received nothing yet. */
export function open(): void {
  const logger = new Logger({ level: "debug", format: "json", write: (line) => log.push(line) });
  session = new Session(socket, "127.0.0.1", host, logger);
}

/** Passes a message from the client to the session, and waits until the registration was answered. */
export async function say(message: unknown): Promise<void> {
  session.onText(JSON.stringify(message));
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

/** Opens a session before each test of a file, on a fake clock. */
export function useSession(): void {
  beforeEach(() => {
    jest.useFakeTimers();
    socket = new FakeSocket();
    host = new FakeHost();
    log = [];
    open();
  });

  afterEach(() => jest.useRealTimers());
}
