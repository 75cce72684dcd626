import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { Listener } from "../../../lib/server/http/listen.ts";
import { Logger } from "../../../lib/util/logger.ts";

/** The started servers: the certificate of each, and whether it accepts connections. */
let started: { cert: unknown; open: boolean }[];
/** The certificate that the listener reads, or the error that reading throws. */
let certificate: Bun.TLSOptions | Error;
/** Certificates with which no server can start. */
let unusable: Set<unknown>;
let log: string[];
let listener: Listener;

const open = () => started.filter((server) => server.open).map(({ cert }) => cert);

beforeEach(async () => {
  jest.useFakeTimers();
  [started, certificate, unusable, log] = [[], { cert: "first" }, new Set(), []];
  listener = await Listener.start({
    host: "127.0.0.1",
    port: 0,
    serve(port, tls) {
      if (unusable.has(tls?.cert)) throw new Error("cannot listen");
      const server = { cert: tls?.cert, open: true };
      started.push(server);
      const stop = async () => void (server.open = false);
      return { port: port || 4711, stop };
    },
    readTls: async () => {
      if (certificate instanceof Error) throw certificate;
      return certificate;
    },
    logger: new Logger({ level: "info", format: "json", write: (line) => log.push(line) }),
  });
});
afterEach(() => {
  listener.close();
  expect(jest.getTimerCount(), "timers that are left").toBe(0);
  jest.useRealTimers();
});

/** Advances the clock to the next try, and waits until that try has ended. */
async function later(): Promise<void> {
  jest.advanceTimersByTime(2_000);
  for (let n = 0; n < 20; n++) await Promise.resolve();
}

test("a new certificate is taken, on the same port", async () => {
  certificate = { cert: "second" };
  await listener.reload();
  expect([open(), listener.port]).toEqual([["second"], 4711]);
});

describe("a certificate that cannot be used", () => {
  test("changes nothing, and is tried until it can", async () => {
    certificate = new Error("the file is empty");
    const why = "the file is empty; the one before goes on, and the files are read every 2 s";
    await expect(listener.reload()).rejects.toThrow(why);
    await later();
    certificate = new Error("the file is gone");
    await later();
    await later();
    expect(open()).toEqual(["first"]);
    expect(log.map((line) => JSON.parse(line).message)).toEqual(["not reloaded: the file is gone"]);
    certificate = { cert: "second" };
    await later();
    expect(open()).toEqual(["second"]);
    expect(log.at(-1)).toContain("reloaded, at another try");
  });

  test("does so also where it shows only when it is to listen", async () => {
    certificate = { cert: "second" };
    unusable.add("second");
    await expect(listener.reload()).rejects.toThrow("cannot listen; the one before goes on");
    expect(open()).toEqual(["first"]);
    unusable.clear();
    await later();
    expect(open()).toEqual(["second"]);
  });

  test("is not tried any more by a server that ends", async () => {
    certificate = new Error("the file is empty");
    await expect(listener.reload()).rejects.toThrow();
    listener.close();
    certificate = { cert: "second" };
    await later();
    expect(open()).toEqual([]);
  });
});
