import { beforeEach, describe, expect, test } from "bun:test";
import { EventReader } from "../../../lib/server/events/event-reader.ts";
import { COMMENT } from "../../../lib/util/server-sent-events.ts";

const news = (subject: string, text: string, final = false, clientId = "site-1") => ({
  subject,
  clientId,
  text,
  final,
});

let reader: EventReader;
beforeEach(() => {
  reader = new EventReader(null);
});

describe("what waits", () => {
  test("is taken once, in the order it came", () => {
    for (const text of ["a", "b", "c"]) reader.offer(news(text, text));
    expect(reader.take()).toBe("abc");
    expect(reader.take()).toBe("");
  });

  test("is of each subject the newest, behind what came before that", () => {
    reader.offer(news("x", "x1"));
    reader.offer(news("y", "y1"));
    reader.offer(news("x", "x2"));
    expect(reader.take()).toBe("y1x2");
  });

  test("is bounded by the number of subjects, however long nobody takes it", () => {
    for (let n = 0; n < 100_000; n++) reader.offer(news(`s${n % 3}`, "x".repeat(n % 7)));
    expect(reader.take().length).toBeLessThanOrEqual(3 * 6);
  });

  test("never loses an end: nothing newer takes its place", () => {
    reader.offer(news("x", "x1"));
    reader.offer(news("x", "the end of x", true));
    for (let n = 0; n < 900; n++) reader.offer(news(`s${n}`, "."));
    expect(reader.take()).toStartWith("the end of x");
  });

  test("is dropped, and the reader with it, when it is of too many subjects", () => {
    for (let n = 0; n < 1001; n++) reader.offer(news(`s${n}`, "x"));
    expect(reader.ended).toBe(true);
    expect(reader.take()).toBe("");
  });
});

describe("the news", () => {
  test("come as soon as there are some", async () => {
    const stream = reader.news();
    const first = stream.next();
    reader.offer(news("a", "a1"));
    reader.offer(news("b", "b1"));
    expect((await first).value).toBe("a1b1");
    reader.offer(news("a", "a2"));
    expect((await stream.next()).value).toBe("a2");
  });

  test("end when the reader is gone", async () => {
    const stream = reader.news();
    const last = stream.next();
    reader.end();
    expect((await last).value).toBe("");
    expect((await stream.next()).done).toBe(true);
    reader.offer(news("a", "too late"));
    expect(reader.take()).toBe("");
  });

  test("are of the sites that it may hear of", () => {
    reader = new EventReader(null, new Set(["site-2"]));
    for (const site of ["site-1", "site-2"]) reader.offer(news(site, site, false, site));
    expect(reader.take()).toBe("site-2");
  });

  test("of one subject are of that alone, and end with its end", async () => {
    reader = new EventReader("x");
    reader.offer(news("y", "y1", true));
    reader.offer(news("x", "x1"));
    expect(reader.take()).toBe("x1");
    reader.offer(news("x", "x2", true));
    reader.tend();
    reader.tend();
    expect(await Array.fromAsync(reader.news())).toEqual(["x2"]);
  });

  test("of all subjects go on after one's end", () => {
    reader.offer(news("x", "x1", true));
    expect(reader.ended).toBe(false);
  });
});

describe("a reader that is tended", () => {
  test("gets a comment", () => {
    reader.tend();
    expect(reader.take()).toBe(COMMENT);
  });

  test("lives as long as it asks for more", () => {
    for (let round = 0; round < 10; round++) {
      reader.tend();
      reader.asks();
    }
    expect(reader.ended).toBe(false);
  });

  test("is given up when it has not asked since the last time", () => {
    reader.offer(news("a", "a1"));
    reader.tend();
    expect(reader.ended).toBe(false);
    reader.tend();
    expect(reader.ended).toBe(true);
    expect(reader.take()).toBe("");
  });
});
