/*
 * Formats and parses text/event-stream (WHATWG HTML, "Server-sent events").
 */

export interface ServerSentEvent {
  /** The event's type; `message` if the stream does not name one. */
  event: string;
  data: string;
  /** The last id in the stream up to and including this event; empty if there was none. */
  id: string;
}

/**
 * Formats one server-sent event.
 * @param data the content of the event, sent as JSON
 * @param id the value that a reader sends as Last-Event-ID when it reconnects after this event
 */
export function formatEvent(event: string, data: unknown, id: string | number): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/**
 * A comment line of an event stream, which parsers ignore. It shows proxies and readers that the connection
 * is still alive.
 */
export const COMMENT = ":\n\n";

/**
 * Formats the start of an event stream, before the first event.
 * @param retryMs how long a reader waits before it reconnects, in ms
 * @param id the Last-Event-ID that a reader sends if it reconnects before the first event
 */
export function formatStart(retryMs: number, id: string | number): string {
  return `retry: ${retryMs}\nid: ${id}\n\n`;
}

/** Parses the events of a stream. @param pieces the bytes of the stream, cut anywhere */
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

/** Splits a stream into complete lines, which end with LF, CR or CRLF. */
async function* readLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  // TextDecoder also drops a byte order mark at the start of the stream.
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    // A CR at the end of a piece may be the first half of a CRLF, so it does not end a line yet.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest.endsWith("\r")) yield rest.slice(0, -1);
}
