/**
 * The part of the `ws` module that the client uses. The module is built into Bun, so it is not a dependency.
 * Unlike the global WebSocket, the module limits the size of messages, and gives the HTTP answer to a refused
 * upgrade.
 */
declare module "ws" {
  export interface WebSocketOptions {
    perMessageDeflate: false;
    /** Maximum number of bytes of a message, in any number of frames. */
    maxPayload: number;
    /** How long, in ms, the other side may take to answer a close frame. */
    closeTimeout: number;
    tls?: Bun.TLSOptions & Pick<import("node:tls").ConnectionOptions, "checkServerIdentity">;
    /** URL of the proxy; left out for a direct connection. */
    proxy?: string;
  }

  /** The HTTP answer of a server that refused the upgrade to a WebSocket. */
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
    /** Bytes that were written to the socket but not yet taken by the operating system. */
    readonly bufferedAmount: number;
    on<Name extends keyof Events>(event: Name, listener: (...args: Events[Name]) => void): this;
    send(data: string | Uint8Array): void;
    ping(): void;
    close(code: number, reason: string): void;
    /** Stops reading from the socket. */
    pause(): void;
    terminate(): void;
  }
}
