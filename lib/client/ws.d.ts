/**
 * The part that we use of the `ws` that comes with Bun, no package of ours. Unlike the global
 * WebSocket it limits what a server sends, and tells the answer of a server that opens no WebSocket.
 */
declare module "ws" {
  export interface WebSocketOptions {
    perMessageDeflate: false;
    /** Most bytes of a message, however many frames it comes in. */
    maxPayload: number;
    /** How long the other side may take to end the connection that we close, in ms. */
    closeTimeout: number;
    tls?: Bun.TLSOptions & Pick<import("node:tls").ConnectionOptions, "checkServerIdentity">;
    /** URL of a proxy. */
    proxy?: string;
  }

  /** The answer to an upgrade that was refused. */
  export interface HandshakeAnswer {
    statusCode: number;
    statusMessage: string;
    headers: Record<string, string | undefined>;
  }

  interface Events {
    open: [];
    message: [data: Buffer, isBinary: boolean];
    ping: [];
    pong: [];
    "unexpected-response": [request: unknown, answer: HandshakeAnswer];
    error: [error: Error & { code?: string }];
    close: [code: number, reason: Buffer];
  }

  export class WebSocket {
    constructor(url: URL, protocols: string[], options: WebSocketOptions);
    /** Bytes handed over that the system has not taken yet. */
    readonly bufferedAmount: number;
    on<Name extends keyof Events>(event: Name, listener: (...args: Events[Name]) => void): this;
    send(data: string | Uint8Array): void;
    ping(): void;
    close(code: number, reason: string): void;
    /** Reads nothing more. */
    pause(): void;
    terminate(): void;
  }
}
