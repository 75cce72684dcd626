import { type JsonResponse, jsonText, asJsonResponse } from "./json.ts";
import type { Answering } from "./long-answers.ts";

/** Rows of the list that are read and formatted at a time, which takes about a millisecond. */
const PAGE = 64;

/** Number of characters that are sent at a time. A shorter response is sent as a whole. */
const PIECE = 32 * 1024;

/** The page of a list that a request asks for. */
interface Page {
  cursor?: string | undefined;
  limit: number;
}

/** A list of any length, and how its rows are read and shown. */
export interface LongList<Row, Item, Name extends string = string> {
  /** Name of the JSON field that holds the list. */
  name: Name;
  /** Other fields of the JSON response. */
  otherFields?: Record<string, unknown>;
  /**
   * Reads up to `count` rows after an id, or from the start. Fewer than `count` mean that there are no more.
   */
  read: (after: string | undefined, count: number) => Promise<Row[]>;
  idOf: (row: Row) => string;
  /** Converts a row to the JSON value that REST shows. */
  record: (row: Row) => Item;
  /** The requested page; undefined: the response is the whole list. */
  page?: Page;
}

/**
 * Returns the response with a list as JSON. A long list is read and sent in small batches, to save memory.
 */
export async function listAnswer<Row, Item, Name extends string>(
  answering: Pick<Answering, "request" | "streamBody">,
  list: LongList<Row, Item, Name> & { page: Page },
): Promise<JsonResponse<Record<Name, Item[]> & { next_cursor: string | null }>>;
export async function listAnswer<Row, Item, Name extends string>(
  answering: Pick<Answering, "request" | "streamBody">,
  list: LongList<Row, Item, Name>,
): Promise<JsonResponse<Record<Name, Item[]>>>;
export async function listAnswer<Row, Item>(
  { request, streamBody }: Pick<Answering, "request" | "streamBody">,
  list: LongList<Row, Item>,
): Promise<JsonResponse<unknown>> {
  const pieces = piecesOf(list);
  const first = await pieces.next();
  const second = await pieces.next();
  if (second.done) return jsonText(first.value ?? "");
  const headers = { "Content-Type": "application/json" };
  // The response to HEAD has no body.
  if (request.method === "HEAD") return asJsonResponse(new Response(null, { headers }));
  const body = streamBody(encoded([first.value ?? "", second.value], pieces));
  return asJsonResponse(new Response(body, { headers }));
}

async function* piecesOf<Row, Item>({
  name,
  otherFields = {},
  read,
  idOf,
  record,
  page,
}: LongList<Row, Item>): AsyncGenerator<string, undefined> {
  let remaining = page?.limit ?? Infinity;
  let last: Row | undefined;
  const leadingFields = Object.entries(otherFields).map(
    ([field, value]) => `"${field}":${JSON.stringify(value)},`,
  );
  let text = `{${leadingFields.join("")}"${name}":[`;
  for (;;) {
    // Reads one row more than requested, to learn whether there is another page.
    const count = Math.min(remaining + 1, PAGE);
    const rows = await read(last ? idOf(last) : page?.cursor, count);
    const shown = rows.slice(0, remaining);
    if (last && shown.length > 0) text += ",";
    text += shown.map((row) => JSON.stringify(record(row))).join(",");
    last = shown.at(-1) ?? last;
    remaining -= shown.length;
    const isMore = rows.length > shown.length;
    if (isMore || rows.length < count) {
      const cursor = isMore && last ? idOf(last) : null;
      yield page ? `${text}],"next_cursor":${JSON.stringify(cursor)}}` : `${text}]}`;
      return;
    }
    if (text.length < PIECE) continue;
    yield text;
    text = "";
  }
}

async function* encoded(
  first: readonly string[],
  rest: AsyncGenerator<string>,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const text of first) yield encoder.encode(text);
  for await (const text of rest) yield encoder.encode(text);
}
