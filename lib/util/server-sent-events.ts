/*
 * The text/event-stream format, both ways (WHATWG HTML, "Server-sent events").
 */

export interface ServerSentEvent {
  /** `message` where the stream names none. */
  event: string;
  data: string;
  /** Id of the last event that had one; empty where none had. */
  id: string;
}

/**
 * Formats one event.
 * @param data its content, sent as JSON
 * @param id what a reader sends as Last-Event-ID when it connects again
 */
export function formatEvent(event: string, data: unknown, id: string | number): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** A line that readers ignore. It shows readers and proxies that the stream is alive. */
export const COMMENT = ":\n\n";

/**
 * Formats the start of a stream, before the first event.
 * @param retryMs how long a reader waits before it connects again
 * @param id where it then goes on, if no event has come
 */
export function formatStart(retryMs: number, id: string | number): string {
  return `retry: ${retryMs}\nid: ${id}\n\n`;
}

/** Reads the events of a stream, however its bytes are cut into pieces. */
export async function* readEvents(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  let event = "";
  let data: string[] = [];
  let id = "";
  for await (const line of readLines(pieces)) {
    if (line === "") {
      if (data.length > 0) yield { event: event || "message", data: data.join("\n"), id };
      event = "";
      data = [];
      continue;
    }
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
    else if (field === "id" && !value.includes("\0")) id = value;
  }
}

/** Lines that have ended; LF, CR and CRLF each end one. */
async function* readLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  // The decoder also drops a byte order mark.
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    // A CR at the very end may be half of a CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest.endsWith("\r")) yield rest.slice(0, -1);
}
