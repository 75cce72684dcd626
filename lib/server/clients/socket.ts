/** The WebSocket as a session needs it; Bun's ServerWebSocket is one. */
export interface Socket {
  sendText(text: string): number;
  ping(data?: string): number;
  close(code: number, reason: string): void;
  terminate(): void;
}
