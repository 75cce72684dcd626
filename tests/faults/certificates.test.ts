import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, type Certificate, openssl } from "../support/certificates.ts";
import type { Program } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 52 of the fault table: the client's PEM files are missing or broken at a reconnect, as they may be for
 * seconds during a renewal.
 */

const named = openssl.isThere ? "row 52: at a reconnect" : `row 52 (${openssl.hint})`;

describe.skipIf(!openssl.isThere)(named, () => {
  let folder: string;
  let authority: Authority;
  let other: Authority;
  let own: Certificate;
  let another: Certificate;
  /** Paths of the PEM files in the client's settings. The tests damage these files. */
  let used: { ca: string } & Certificate;
  let system: System;
  let proxy: Proxy;
  let client: Program;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-row-52-"));
    authority = await Authority.make(folder, "authority");
    other = await Authority.make(folder, "other");
    const server = await authority.sign("server", "serverAuth");
    own = await authority.sign("till", "clientAuth");
    another = await authority.sign("another-till", "clientAuth");
    used = {
      ca: join(folder, "used-ca.pem"),
      cert: join(folder, "used-cert.pem"),
      key: join(folder, "used-key.pem"),
    };
    await restore();
    system = await System.start(
      { TLS_CERT: server.cert, TLS_KEY: server.key, TLS_CLIENT_CA: authority.cert },
      { tls: { ca: authority.cert, ...own } },
    );
    await writeRandom(system.source("file"), 1000);
    proxy = await Proxy.listen(system.port);
    client = await system.startClient({
      server: proxy.url.replace("http:", "https:"),
      env: { TLS_CA: used.ca, TLS_CLIENT_CERT: used.cert, TLS_CLIENT_KEY: used.key },
    });
  });
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await system?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  async function restore(): Promise<void> {
    await copyFile(authority.cert, used.ca);
    await copyFile(own.cert, used.cert);
    await copyFile(own.key, used.key);
  }

  const registrations = () =>
    client.log().filter(({ message }) => message.startsWith("registered as")).length;

  /** Cuts the connection, waits until the client is registered again, and expects a download to succeed. */
  async function expectReconnect(): Promise<void> {
    const before = registrations();
    proxy.cut("rst");
    await waitFor(() => registrations() > before, "the client to register again");
    const record = await system.ended(await system.pull("file"));
    expect(record).toMatchObject({ status: "completed" });
  }

  const halve = async (path: string) => {
    const text = await readFile(path, "utf8");
    await writeFile(path, text.slice(0, text.length / 2));
  };

  test.each<[string, () => Promise<unknown>]>([
    ["TLS_CA is gone", () => rm(used.ca)],
    ["TLS_CA is empty", () => writeFile(used.ca, "")],
    ["TLS_CA is half written", () => halve(used.ca)],
    ["TLS_CA is something else", () => writeFile(used.ca, "not a certificate")],
    ["TLS_CLIENT_CERT is gone", () => rm(used.cert)],
    ["TLS_CLIENT_CERT is empty", () => writeFile(used.cert, "")],
    ["TLS_CLIENT_CERT is half written", () => halve(used.cert)],
    ["TLS_CLIENT_KEY is gone", () => rm(used.key)],
    ["TLS_CLIENT_KEY is empty", () => writeFile(used.key, "")],
    ["TLS_CLIENT_KEY is half written", () => halve(used.key)],
    ["the key is not that of the certificate", () => copyFile(another.cert, used.cert)],
    ["all are gone", () => Promise.all(Object.values(used).map((path) => rm(path)))],
  ])("%s: the client goes on with what worked, and says so", async (_, damage) => {
    await damage();
    const told = () =>
      client.log().filter(({ message }) => /^check TLS_C.* are used$/.test(message));
    const before = told().length;
    await expectReconnect();
    expect(told().length).toBeGreaterThan(before);
    await restore();
  });

  test("a certificate that was renewed is used without a restart", async () => {
    await copyFile(another.cert, used.cert);
    await copyFile(another.key, used.key);
    await expectReconnect();
    await restore();
  });

  test("a list of authorities that names the wrong one: tried again until it is right", async () => {
    await copyFile(other.cert, used.ca);
    proxy.cut("rst");
    await client.waitForLine(/not connected: .* certificate.*; next try in/);
    await restore();
    const before = registrations();
    await waitFor(() => registrations() > before, "the client to register again");
  });

  test("the client is the same process as ever", async () => {
    client.signal("SIGTERM");
    expect(await client.ended()).toBe(0);
  });
});
