import { beforeEach, describe, expect, test } from "bun:test";
import { parseSelector } from "../../../lib/api/selector.ts";
import { EventReader } from "../../../lib/server/events/event-reader.ts";
import { COMMENT } from "../../../lib/util/server-sent-events.ts";

const encoder = new TextEncoder();
const news = (subject: string, text: string, final = false, clientId = "site-1") => ({
  subject,
  clientId,
  bytes: encoder.encode(text),
  final,
});
const textOf = (bytes: Uint8Array | undefined | void) =>
  new TextDecoder().decode(bytes ?? undefined);

let reader: EventReader;
const taken = () => textOf(Buffer.concat(reader.take()));
/** Offers an event to the reader, and wakes the reader. */
const tell = (...event: Parameters<typeof news>) => {
  reader.offer(news(...event));
  reader.wake();
};
beforeEach(() => {
  reader = new EventReader(null);
});

describe("what waits", () => {
  test("is taken once, in the order it came", () => {
    for (const text of ["a", "b", "c"]) reader.offer(news(text, text));
    expect(taken()).toBe("abc");
    expect(taken()).toBe("");
  });

  test("is of each subject the newest, behind what came before that", () => {
    reader.offer(news("x", "x1"));
    reader.offer(news("y", "y1"));
    reader.offer(news("x", "x2"));
    expect(taken()).toBe("y1x2");
  });

  test("is bounded by the number of subjects, however long nobody takes it", () => {
    for (let n = 0; n < 100_000; n++) reader.offer(news(`s${n % 3}`, "x".repeat(n % 7)));
    expect(taken().length).toBeLessThanOrEqual(3 * 6);
  });

  test("never loses an end: nothing newer takes its place", () => {
    reader.offer(news("x", "x1"));
    reader.offer(news("x", "the end of x", true));
    for (let n = 0; n < 900; n++) reader.offer(news(`s${n}`, "."));
    expect(taken()).toStartWith("the end of x");
  });

  test("is dropped, and the reader with it, when it is too many bytes", () => {
    const kibibyte = "x".repeat(1024);
    for (let n = 0; n < 512; n++) reader.offer(news(`s${n}`, kibibyte));
    reader.offer(news("s7", kibibyte));
    expect([reader.hasEnded, reader.endSignal.aborted]).toEqual([false, false]);
    reader.offer(news("s512", "x"));
    expect([reader.hasEnded, reader.endSignal.aborted]).toEqual([true, true]);
    expect(taken()).toBe("");
  });

  test("may hold an event of any size: no reader could ever hear of a set of many patterns", () => {
    const large = "x".repeat(1024 * 1024);
    for (let n = 0; n < 3; n++) reader.offer(news(`s${n}`, large));
    expect(reader.hasEnded).toBe(false);
    expect(taken()).toHaveLength(3 * large.length);
    for (let n = 0; n < 65; n++) reader.offer(news(`s${n}`, large));
    expect(reader.hasEnded).toBe(true);
  });

  test("is shared with other readers, not copied", () => {
    const event = news("x", "x1");
    reader.offer(event);
    expect(reader.take()[0]).toBe(event.bytes);
  });
});

describe("the news", () => {
  test("come as soon as there are some", async () => {
    const stream = reader.news();
    const first = stream.next();
    reader.offer(news("a", "a1"));
    tell("b", "b1");
    expect(textOf((await first).value)).toBe("a1b1");
    tell("a", "a2");
    expect(textOf((await stream.next()).value)).toBe("a2");
  });

  test("come in pieces, of which the rest still gives way to what is newer", async () => {
    const half = "x".repeat(20_000);
    for (const subject of ["a", "b", "c"]) tell(subject, half);
    const stream = reader.news();
    expect(textOf((await stream.next()).value)).toBe(half);
    tell("b", "b2");
    expect(textOf((await stream.next()).value)).toBe(`${half}b2`);
    tell("d", "x".repeat(100_000));
    expect((await stream.next()).value).toHaveLength(100_000);
  });

  test("end when the reader is gone", async () => {
    const stream = reader.news();
    const last = stream.next();
    reader.end();
    expect((await last).done).toBe(true);
    reader.offer(news("a", "too late"));
    expect(taken()).toBe("");
  });

  test("are of the sites that it may hear of", () => {
    reader = new EventReader(null, { ids: new Set(["site-2"]), selector: null });
    expect(reader.needsLabels).toBe(false);
    for (const site of ["site-1", "site-2"]) reader.offer(news(site, site, false, site));
    expect(taken()).toBe("site-2");
  });

  test("are of the sites whose labels at that moment it may hear of", () => {
    const selector = parseSelector("region=west");
    reader = new EventReader(null, { ids: new Set(["site-2"]), selector });
    expect(reader.needsLabels).toBe(true);
    for (const [site, region] of Object.entries({ a: "west", b: "east", "site-2": "east" })) {
      reader.offer({ ...news(site, site, false, site), labels: { region } });
    }
    reader.offer({ ...news("a", "a again", false, "a"), labels: {} });
    expect(taken()).toBe("asite-2");
  });

  test("of one subject are of that alone, and end with its end", async () => {
    reader = new EventReader("x");
    reader.offer(news("y", "y1", true));
    reader.offer(news("x", "x1"));
    expect(taken()).toBe("x1");
    reader.offer(news("x", "x2", true));
    reader.keepAlive();
    reader.keepAlive();
    expect((await Array.fromAsync(reader.news())).map(textOf)).toEqual(["x2"]);
  });

  test("of all subjects go on after one's end", () => {
    reader.offer(news("x", "x1", true));
    expect(reader.hasEnded).toBe(false);
  });
});

describe("a reader that is tended", () => {
  test("gets a comment", () => {
    reader.keepAlive();
    expect(taken()).toBe(COMMENT);
  });

  test("lives as long as it asks for more", () => {
    for (let round = 0; round < 10; round++) {
      reader.keepAlive();
      reader.noteActivity();
    }
    expect(reader.hasEnded).toBe(false);
  });

  test("is given up when it has not asked since the last time", () => {
    reader.offer(news("a", "a1"));
    reader.keepAlive();
    expect(reader.hasEnded).toBe(false);
    reader.keepAlive();
    expect(reader.hasEnded).toBe(true);
    expect(taken()).toBe("");
  });
});
