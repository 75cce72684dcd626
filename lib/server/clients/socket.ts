/** The methods of a WebSocket that a session uses. Bun's ServerWebSocket has them. */
export interface Socket {
  sendText(text: string): number;
  ping(data?: string): number;
  close(code: number, reason: string): void;
  terminate(): void;
}
