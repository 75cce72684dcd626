/**
 * The part that we use of the `ws` module that comes with Bun; it is not a dependency. Unlike the global
 * WebSocket it limits the size of messages, and gives the answer of a server that opens no WebSocket.
 */
declare module "ws" {
  export interface WebSocketOptions {
    perMessageDeflate: false;
    /** Most bytes of a message, in any number of frames. */
    maxPayload: number;
    /** How long the other side may take to end a connection that we close, in ms. */
    closeTimeout: number;
    tls?: Bun.TLSOptions & Pick<import("node:tls").ConnectionOptions, "checkServerIdentity">;
    /** URL of a proxy. */
    proxy?: string;
  }

  /** The answer to a refused upgrade. */
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
    /** Bytes that were written but not yet taken by the system. */
    readonly bufferedAmount: number;
    on<Name extends keyof Events>(event: Name, listener: (...args: Events[Name]) => void): this;
    send(data: string | Uint8Array): void;
    ping(): void;
    close(code: number, reason: string): void;
    /** Stops reading. */
    pause(): void;
    terminate(): void;
  }
}
