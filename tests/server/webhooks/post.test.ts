import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Destinations } from "../../../lib/server/webhooks/destinations.ts";
import { postTo } from "../../../lib/server/webhooks/post.ts";
import { Authority, FAR_NAME, openssl } from "../../support/certificates.ts";
import { Receiver } from "../../support/receiver.ts";
import { TEST_LIMIT, waitFor } from "../../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const MiB = 1024 * 1024;
const headers = { "Content-Type": "application/json", "webhook-id": "msg_1" };
const body = JSON.stringify({ type: "webhook.test", data: "ü" });
const never = new AbortController().signal;

/** Destinations for which every host name resolves to this machine. */
const here = (allow: string[] = ["127.0.0.0/8"], addresses = ["127.0.0.1"]) =>
  new Destinations(allow, async () => addresses.map((address) => ({ address, family: 4 })));

const post = (url: string, destinations = here(), answerWithinMs = 60_000, signal = never) =>
  postTo(destinations, answerWithinMs)({ url: new URL(url), headers, body }, signal);

/** A server whose answer is not HTTP, or has no end. */
class Scripted implements Disposable {
  closed = 0;
  private constructor(private readonly server: Server) {}

  static async listen(answer: (socket: Socket) => void): Promise<Scripted> {
    const server = createServer((socket) => {
      socket.on("error", () => undefined).on("close", () => scripted.closed++);
      socket.once("data", () => answer(socket));
    });
    const scripted = new Scripted(server);
    const listening = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", listening.resolve);
    await listening.promise;
    return scripted;
  }

  get url(): string {
    const address = this.server.address();
    return `http://hooks.test:${typeof address === "object" ? address?.port : ""}/x`;
  }

  [Symbol.dispose](): void {
    this.server.close();
  }
}

/** Writes a piece `times` times, as fast as the receiver reads. */
function flood(socket: Socket, piece: string | Uint8Array, times: number): void {
  let left = times;
  const more = () => {
    while (left-- > 0 && !socket.destroyed) if (!socket.write(piece)) return;
  };
  socket.on("drain", more);
  more();
}

describe("a message", () => {
  test("comes as it is, with the name in Host and no address", async () => {
    using receiver = new Receiver();
    const url = `http://hooks.test:${receiver.port}/a%20b?c=1`;
    expect(await post(url)).toEqual({
      status: 200,
      error: null,
      reached: true,
      retryAfterMs: null,
    });
    const [message] = receiver.messages;
    expect(message).toMatchObject({ path: "/a%20b", body, id: "msg_1" });
    expect(message!.headers).toMatchObject({
      host: `hooks.test:${receiver.port}`,
      "content-type": "application/json",
    });
  });

  test("goes to the next address of a name where nobody is at the first", async () => {
    using receiver = new Receiver();
    const url = `http://hooks.test:${receiver.port}/`;
    expect(await post(url, here(undefined, ["127.0.0.9", "127.0.0.1"]))).toMatchObject({
      status: 200,
    });
  });

  test("tells the status, and when to come again", async () => {
    using receiver = new Receiver();
    receiver.answer = () => new Response("no", { status: 503, headers: { "Retry-After": "120" } });
    expect(await post(receiver.url)).toMatchObject({ status: 503, retryAfterMs: 120_000 });
    receiver.answer = () => new Response("", { status: 410, headers: { "Retry-After": "soon" } });
    expect(await post(receiver.url)).toMatchObject({ status: 410, retryAfterMs: null });
  });

  test("follows no redirect", async () => {
    using target = new Receiver();
    using receiver = new Receiver();
    receiver.answer = () => Response.redirect(target.url, 302);
    expect(await post(receiver.url)).toMatchObject({ status: 302, reached: true });
    expect(target.messages).toEqual([]);
  });

  test("uses no proxy of the environment", async () => {
    using proxy = new Receiver();
    using receiver = new Receiver();
    const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"];
    const before = names.map((name) => process.env[name]);
    for (const name of names) process.env[name] = proxy.url;
    try {
      expect(await post(`http://hooks.test:${receiver.port}/`)).toMatchObject({ status: 200 });
    } finally {
      for (const [n, name] of names.entries()) {
        if (before[n] === undefined) delete process.env[name];
        else process.env[name] = before[n];
      }
    }
    expect(proxy.messages).toEqual([]);
  });
});

describe("nobody private is reached", () => {
  test("where a name leads there at the second look", async () => {
    using receiver = new Receiver();
    let looks = 0;
    const turncoat = new Destinations([], async () => {
      const address = looks++ === 0 ? "8.8.8.8" : "127.0.0.1";
      return [{ address, family: 4 }];
    });
    const url = new URL(`http://turncoat.test:${receiver.port}/`);
    expect(await turncoat.addressesOf(url)).toEqual([{ address: "8.8.8.8", family: 4 }]);
    const answer = await post(url.href, turncoat);
    expect(answer).toMatchObject({ status: null, reached: false });
    expect(answer.error).toContain('"turncoat.test" leads to 127.0.0.1');
    expect(receiver.messages).toEqual([]);
  });

  test("where what is connected to is looked at once more", async () => {
    using receiver = new Receiver();
    let looks = 0;
    // The first lookup gives an allowed address. A second lookup would give another one, which must not be
    // used.
    const destinations = new Destinations(["127.0.0.1"], async () => {
      const address = looks++ === 0 ? "127.0.0.1" : "127.0.0.2";
      return [{ address, family: 4 }];
    });
    expect(await post(`http://a.test:${receiver.port}/`, destinations)).toMatchObject({
      status: 200,
    });
    expect(looks).toBe(1);
  });
});

describe("an answer", () => {
  test("of 100 MiB is not read", async () => {
    using flooding = await Scripted.listen((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${100 * MiB}\r\n\r\n`);
      flood(socket, new Uint8Array(MiB), 100);
    });
    const before = process.memoryUsage.rss();
    for (let n = 0; n < 5; n++) expect(await post(flooding.url)).toMatchObject({ status: 200 });
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * MiB);
    await waitFor(() => flooding.closed === 5, "the connections to be given up");
  });

  test("whose head has no end is given up", async () => {
    using endless = await Scripted.listen((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      flood(socket, `X: ${"a".repeat(8_000)}\r\n`, 100_000);
    });
    expect(await post(endless.url)).toMatchObject({ status: null, reached: true });
    await waitFor(() => endless.closed === 1, "the connection to be given up");
  });

  test("that is no HTTP is an error", async () => {
    using odd = await Scripted.listen((socket) => socket.end("hello\r\n\r\n"));
    expect(await post(odd.url)).toMatchObject({ status: null, reached: true });
  });

  test("that does not come is given up, and so is one when the server stops", async () => {
    using silent = await Scripted.listen(() => undefined);
    const late = await post(silent.url, here(), 100);
    expect(late).toMatchObject({ status: null, reached: true });
    expect(late.error).toBe("no answer came within 0.1 s");
    const stop = new AbortController();
    const cut = post(silent.url, here(), 60_000, stop.signal);
    stop.abort(new Error("the server stopped"));
    expect(await cut).toMatchObject({ status: null, error: "the server stopped" });
    await waitFor(() => silent.closed > 0, "the connection to be given up");
  });

  test("of nobody says so", async () => {
    using gone = new Receiver();
    gone.stop();
    expect(await post(gone.url)).toEqual({
      status: null,
      error: "nobody listens there",
      reached: false,
      retryAfterMs: null,
    });
    const nowhere = new Destinations([], async () => {
      throw Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
    });
    expect(await post("https://nowhere.test/", nowhere)).toMatchObject({
      error: "the name has no address",
      reached: false,
    });
  });

  test("of a name that is looked up for ever is given up", async () => {
    const slow = new Destinations([], () => new Promise(() => undefined));
    expect(await post("https://slow.test/", slow, 50)).toMatchObject({ reached: false });
  });
});

describe.skipIf(!openssl.isThere)(`by TLS (${openssl.hint})`, () => {
  let folder = "";
  let pem: { cert: string; key: string };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-post-"));
    const authority = await Authority.make(folder, "authority");
    const { cert, key } = await authority.sign("receiver", "serverAuth");
    pem = { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("a certificate that nobody vouches for is refused, and no message is sent", async () => {
    using receiver = new Receiver(pem);
    const answer = await post(`https://${FAR_NAME}:${receiver.port}/`);
    expect(answer).toMatchObject({ status: null, reached: false });
    expect(answer.error).toMatch(/certificate/);
    expect(receiver.messages).toEqual([]);
  });
});
