import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  Authority,
  type Certificate,
  FAR_NAME,
  openssl,
  pinOfFile,
} from "../support/certificates.ts";
import { ClientDoctor, PROXY_PASSWORD, serveOverTls } from "../support/client-doctor.ts";
import { lacksFaketime } from "../support/machine.ts";
import { signInProxy } from "../support/sign-in-proxy.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Findings of `client doctor` for each problem with certificates, and for a proxy that works. */

const NO_OPENSSL = openssl.isThere ? "" : ` (${openssl.hint})`;

describe.skipIf(!openssl.isThere)(`client doctor and TLS${NO_OPENSSL}`, () => {
  let system: System;
  let doctor: ClientDoctor;
  let authority: Authority;
  let good: Certificate;
  let folder: string;

  beforeAll(async () => {
    system = await System.start();
    folder = system.folder;
    doctor = new ClientDoctor(system);
    authority = await Authority.make(folder, "authority");
    good = await authority.sign("server", "serverAuth");
  });
  afterAll(() => system?.[Symbol.asyncDispose]());

  const secureServer = (env: Record<string, string> = {}, own?: Certificate) =>
    System.start(
      { TLS_CERT: good.cert, TLS_KEY: good.key, ...env },
      { tls: { ca: authority.cert, ...own } },
    );

  test("a maker whom nobody here knows", async () => {
    await using server = await serveOverTls(good);
    const words = /nobody whom this machine trusts .* signed by "authority", until .* TLS_CA/;
    await doctor.expectWrong({ server: server.url }, "TLS", words);
  });

  test.skipIf(lacksFaketime !== "")(`a certificate that has ended${lacksFaketime}`, async () => {
    const old = await authority.sign("old", "serverAuth", { daysAgo: 30 });
    await using server = await serveOverTls(old);
    const env = { TLS_CA: authority.cert };
    const words = /certificate ended on \d{4}-\d\d-\d\d; .* clock says .* → if the clock is right/;
    await doctor.expectWrong({ server: server.url, env }, "TLS", words);
  });

  test("a name that the certificate does not have", async () => {
    const other = await authority.sign("other", "serverAuth", { names: "DNS:files.test" });
    await using server = await serveOverTls(other);
    const env = { TLS_CA: authority.cert };
    const words = /is for "files.test", and not for "localhost" → write the server's name/;
    await doctor.expectWrong({ server: server.url, env }, "TLS", words);
  });

  test("a pin that is another key's", async () => {
    await using server = await serveOverTls(good);
    const another = await authority.sign("another", "serverAuth");
    const env = { TLS_CA: authority.cert, TLS_PIN: await pinOfFile(another.cert) };
    const { wrong } = await doctor.expectWrong(
      { server: server.url, env },
      "TLS",
      /TLS_PIN does not name/,
    );
    expect(wrong["TLS"]).toContain(await pinOfFile(good.cert));
  });

  test("nothing, where all of it is right", async () => {
    await using secure = await secureServer();
    const env = { TLS_CA: authority.cert, TLS_PIN: await pinOfFile(good.cert), ENROLL_TOKEN };
    const { wrong, text } = await doctor.ask({ id: "new", server: secure.url, env });
    expect(wrong).toEqual({});
    expect(text).toMatch(/✓ TLS +for "localhost".* its key is in TLS_PIN/);
  });

  test.each([
    ["https", "http", "HTTPS_PROXY"],
    ["https", "https", "HTTPS_PROXY"],
    ["http", "http", "HTTP_PROXY"],
  ])("nothing on the way to an %s server through an %s proxy", async (scheme, way, variable) => {
    await using proxy = await signInProxy(
      `till:${PROXY_PASSWORD}`,
      way === "https" ? good : undefined,
    );
    await using server = scheme === "https" ? await secureServer() : await System.start();
    const env = {
      TLS_CA: authority.cert,
      NO_PROXY: "",
      INSECURE: "true",
      ENROLL_TOKEN,
      [variable]: `${way}://till:${PROXY_PASSWORD}@127.0.0.1:${proxy.port}`,
    };
    const far = `${scheme}://${FAR_NAME}:${server.port}`;
    const { wrong, text } = await doctor.ask({ id: "new", server: far, env });
    expect(wrong).toEqual({});
    expect(text).toContain(`lets through to ${FAR_NAME}: HTTP/1.1 200 OK`);
    expect(text).toContain("✓ registration   the client may enrol when it starts");
  });

  describe("where clients have to show a certificate", () => {
    let strict: System;
    let till: Certificate;

    beforeAll(async () => {
      till = await authority.sign("till", "clientAuth");
      strict = await secureServer({ TLS_CLIENT_CA: authority.cert }, till);
    });
    afterAll(() => strict?.[Symbol.asyncDispose]());

    const envWith = (own: Certificate | null) => ({
      TLS_CA: authority.cert,
      ENROLL_TOKEN,
      ...(own && { TLS_CLIENT_CERT: own.cert, TLS_CLIENT_KEY: own.key }),
    });

    test("nothing, with the right one", async () => {
      const setUp = { id: "new", server: strict.url, env: envWith(till) };
      expect((await doctor.ask(setUp)).wrong).toEqual({});
    });

    test("none", () =>
      doctor.expectWrong(
        { server: strict.url, env: envWith(null) },
        "TLS",
        /wants a certificate of this client's → .* TLS_CLIENT_CERT and TLS_CLIENT_KEY/,
      ));

    test("one that somebody else signed", async () => {
      const stranger = await Authority.make(folder, "another-authority");
      const forged = await stranger.sign("forged", "clientAuth");
      const words = /does not take .*forged\.crt.* → ask whoever runs the server/;
      await doctor.expectWrong({ server: strict.url, env: envWith(forged) }, "TLS", words);
    });
  });
});
