import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import { dropBody, hasUnreadBody, readBody } from "../../../lib/server/http/body.ts";
import { codeOfRejection } from "../../support/errors.ts";

const LIMITS = { size: 1024, time: 200 };

/** Returns a request whose body comes in these parts. With `open`, the body never ends. */
function posted(parts: string[], open = false): Request {
  const body = new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
      if (!open) controller.close();
    },
  });
  return new Request("http://localhost/", { method: "POST", body });
}

describe("a body", () => {
  test("is read whole, also where there is none", async () => {
    expect(String(await readBody(posted(["ab", "cd"]), LIMITS))).toBe("abcd");
    const none = new Request("http://localhost/", { method: "POST" });
    expect(await readBody(none, LIMITS)).toHaveLength(0);
    expect(await readBody(posted(["x".repeat(1024)]), LIMITS)).toHaveLength(1024);
  });

  test("that is too long is refused, by what it says and by what comes", async () => {
    const parts = Array.from({ length: 5 }, () => "x".repeat(256));
    expect(await codeOfRejection(readBody(posted(parts, true), LIMITS))).toBe("request_too_large");
    const told = new Request("http://localhost/", { headers: { "Content-Length": "1025" } });
    expect(await codeOfRejection(readBody(told, LIMITS))).toBe("request_too_large");
  });

  test("that never ends is given up", async () => {
    const reading = readBody(posted(["{"], true), LIMITS);
    await expect(reading).rejects.toThrow("The body took over 0.2 s");
  });
});

describe("what is left of a body", () => {
  test("is read to its end, also behind what was read before it was too long", async () => {
    const request = posted(Array.from({ length: 9 }, () => "x".repeat(256)));
    expect(await codeOfRejection(readBody(request, LIMITS))).toBe("request_too_large");
    await dropBody(request);
    expect(await request.body!.getReader().read()).toEqual({ value: undefined, done: true });
  });

  test("is read no further than 1 MiB, and not for ever", async () => {
    let given = 0;
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024).fill(++given)),
    });
    await dropBody(new Request("http://localhost/", { method: "POST", body: endless }));
    expect(given).toBeGreaterThan(15);
    expect(given).toBeLessThan(20);
    await dropBody(posted(["{"], true));
  });

  test("is nothing where there is no body", async () => {
    await dropBody(new Request("http://localhost/"));
  });
});

describe("the connection of a request", () => {
  let server: Bun.Server<undefined>;

  beforeAll(() => {
    server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 120,
      async fetch(request) {
        const status = await readBody(request, LIMITS).then(
          () => 200,
          () => 400,
        );
        const answer = new Response(`${status}`, { status });
        if (hasUnreadBody(request, answer)) answer.headers.set("Connection", "close");
        return answer;
      },
    });
  });
  afterAll(() => server.stop(true));

  test("whose body does not come is closed, that of another serves the next", async () => {
    const socket = connect(server.port!, "127.0.0.1").setEncoding("utf8");
    const head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n";
    for (const [body, status] of [
      ["whole", 200],
      ["whole", 200],
      ["half", 400],
    ]) {
      socket.write(`${head}${body}`);
      const [answer] = await once(socket, "data");
      expect(answer).toStartWith(`HTTP/1.1 ${status} `);
    }
    await once(socket, "close");
  });
});
