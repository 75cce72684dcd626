import { describe, expect, test } from "bun:test";
import {
  COMMENT,
  formatEvent,
  formatStart,
  readEvents,
  type ServerSentEvent,
} from "../../lib/util/server-sent-events.ts";
import { Random } from "../support/random.ts";

/**
 * Reads the events of a text that arrives in pieces.
 * @param cuts offsets in bytes at which a new piece begins
 */
async function read(text: string, cuts: number[] = []): Promise<ServerSentEvent[]> {
  const bytes = new TextEncoder().encode(text);
  const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
  async function* pieces() {
    for (const [n, edge] of edges.slice(1).entries()) yield bytes.subarray(edges[n], edge);
  }
  return Array.fromAsync(readEvents(pieces()));
}

const event = (data: string, fields: Partial<ServerSentEvent> = {}) => ({
  event: "message",
  data,
  id: "",
  ...fields,
});

describe("reading", () => {
  test.each<[string, string, ServerSentEvent[]]>([
    ["an event", "data: a\n\n", [event("a")]],
    ["its name and id", "event: x\nid: 7\ndata: a\n\n", [event("a", { event: "x", id: "7" })]],
    ["lines of data", "data: a\ndata:\ndata: b\n\n", [event("a\n\nb")]],
    ["data without a space, or with two", "data:a\ndata:  b\n\n", [event("a\n b")]],
    ["data with colons", "data: a: b:\n\n", [event("a: b:")]],
    [
      "CRLF",
      "event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n",
      [event("a", { event: "x" }), event("b")],
    ],
    ["CR", "data: a\r\rdata: b\r\r", [event("a"), event("b")]],
    ["comments", ":\n\n: hello\ndata: a\n:\n\n", [event("a")]],
    ["fields that it does not know", "retry: 5\ndata: a\nother\n: b\n\n", [event("a")]],
    [
      "an id that lasts",
      "id: 1\ndata: a\n\ndata: b\n\n",
      ["a", "b"].map((d) => event(d, { id: "1" })),
    ],
    ["an id that comes alone", "id: 1\n\ndata: a\n\n", [event("a", { id: "1" })]],
    [
      "an id that is taken back",
      "id: 1\ndata: a\n\nid\ndata: b\n\n",
      [event("a", { id: "1" }), event("b")],
    ],
    ["an id that no header can hold", "id: 1\0\ndata: a\n\n", [event("a")]],
    [
      "a name that does not last",
      "event: x\ndata: a\n\ndata: b\n\n",
      [event("a", { event: "x" }), event("b")],
    ],
    ["a name without data", "event: x\n\ndata: a\n\n", [event("a")]],
    ["empty data", "data\n\n", [event("")]],
    ["a byte order mark", "\uFEFFdata: a\n\n", [event("a")]],
    ["what was cut off", "data: a\n\ndata: b\n", [event("a")]],
    ["nothing", "", []],
  ])("knows %s", async (_, text, expected) => {
    expect(await read(text)).toEqual(expected);
    const everywhere = Array.from(new TextEncoder().encode(text), (_byte, at) => at);
    expect(await read(text, everywhere)).toEqual(expected);
  });
});

test("what is written is read again, however it is cut", async () => {
  const random = new Random(11);
  const strange = ["\n", "\r", "\r\n", ":", "\u2028", "é", "🚚", "data: ", '"', "\\", " "];
  for (let round = 0; round < 200; round++) {
    const written = Array.from({ length: random.int(1, 5) }, (_, n) => ({
      event: `kind-${random.int(1, 3)}`,
      data: { text: Array.from({ length: random.int(0, 8) }, () => random.pick(strange)).join("") },
      id: String(n),
    }));
    const text =
      formatStart(5, "start") +
      written.map((e) => formatEvent(e.event, e.data, e.id) + COMMENT).join("");
    const { length } = new TextEncoder().encode(text);
    const cuts = Array.from({ length: random.int(0, 6) }, () => random.int(0, length));
    const found = (await read(text, cuts)).map((e) => ({ ...e, data: JSON.parse(e.data) }));
    expect(found, `round ${round}`).toEqual(written);
  }
});

test("the start names the id without an event", async () => {
  expect(formatStart(1500, 7)).toBe("retry: 1500\nid: 7\n\n");
  expect(await read(formatStart(1500, 7))).toEqual([]);
});
