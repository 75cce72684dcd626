import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Authority,
  type Certificate,
  FAR_NAME,
  openssl,
  pinOfFile,
} from "../support/certificates.ts";
import { runProgram } from "../support/operator.ts";
import { Program } from "../support/programs.ts";
import { signInProxy } from "../support/sign-in-proxy.ts";
import { writeRandom } from "../support/sources.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * TLS with a real server and real clients: clients that trust its certificate, clients that do not, and
 * clients that need a certificate of their own.
 */

const named = openssl.isThere ? "over TLS" : `over TLS (${openssl.hint})`;

describe.skipIf(!openssl.isThere)(named, () => {
  let folder: string;
  let authority: Authority;
  let own: Certificate;
  let system: System;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-tls-"));
    authority = await Authority.make(folder, "authority");
    own = await authority.sign("server", "serverAuth");
    system = await System.start(
      { TLS_CERT: own.cert, TLS_KEY: own.key },
      { tls: { ca: authority.cert } },
    );
  });
  afterAll(async () => {
    await system?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** Starts a client that the server must not accept, and waits until its log has these words. */
  async function refused(
    id: string,
    env: Record<string, string>,
    words: RegExp,
    server = system.url,
  ): Promise<void> {
    await using client = await Program.start({
      name: id,
      folder: system.folder,
      argv: [
        ...["client.ts", "--id", id, "--server", server],
        ...["--root", "root", "--state-dir", id],
      ],
      env: { ENROLL_TOKEN, ...env },
      ready: words,
    });
    // Each failed try logs one line, which holds the reason.
    for (const { level, message } of client.log()) {
      if (level !== "info") expect(message).toMatch(words);
    }
    expect((await system.api.clients()).map(({ client_id }) => client_id)).not.toContain(id);
  }

  test("a file comes whole from a client that trusts the server", async () => {
    await system.startClient({ id: "trusts", env: { TLS_CA: authority.cert } });
    const wanted = await writeRandom(system.source("a.bin"), 5_000_000);
    await system.expectDelivered(await system.ended(await system.pull("a.bin", "trusts")), wanted);
  });

  test("a client that knows nobody who signed for the server does not register", () =>
    refused("stranger", {}, /TLS handshake failed: .*self.signed certificate|unable to/));

  test("a client with the server's pin registers, with another one it says whose it is", async () => {
    const pin = await pinOfFile(own.cert);
    const env = { TLS_CA: authority.cert };
    await system.startClient({
      id: "pinned",
      env: { ...env, TLS_PIN: `sha256//${"A".repeat(43)}=,${pin}` },
    });
    const other = await pinOfFile(authority.cert);
    await refused(
      "pinned-to-another",
      { ...env, TLS_PIN: other },
      new RegExp(
        `the server's public key is ${pin.replaceAll("+", "\\+")}, which TLS_PIN does not name`,
      ),
    );
  });

  test.each(["http", "https"])(
    "a client goes through an %s proxy that asks who it is",
    async (scheme) => {
      const tls = scheme === "https" ? own : undefined;
      await using proxy = await signInProxy("till:s3cret proxy", tls);
      const [right, wrong] = [`${scheme}-proxied`, `${scheme}-proxied-wrongly`];
      const env = { TLS_CA: authority.cert, NO_PROXY: "" };
      const server = `https://${FAR_NAME}:${system.port}`;
      await system.startClient({
        id: right,
        server,
        env: { ...env, HTTPS_PROXY: `${scheme}://till:s3cret%20proxy@127.0.0.1:${proxy.port}` },
      });
      const { tunnels } = proxy;
      expect(tunnels).toBeGreaterThan(0);
      await refused(
        wrong,
        { ...env, HTTPS_PROXY: `${scheme}://till:wrong@127.0.0.1:${proxy.port}` },
        /not connected: .*[Pp]roxy/,
        server,
      );
      expect(proxy.tunnels).toBe(tunnels);
      for (const name of [right, wrong]) {
        const log = await Bun.file(join(system.folder, `${name}.log`)).text();
        expect(log).not.toMatch(/s3cret|till:wrong/);
        expect(log).not.toContain(btoa("till:s3cret proxy"));
      }
      const wanted = await writeRandom(system.source("b.bin"), 1_000_000);
      await system.expectDelivered(await system.ended(await system.pull("b.bin", right)), wanted);
    },
  );

  test("a client shows its key to no proxy on the way to this machine", async () => {
    await using proxy = await signInProxy("nobody:may");
    const address = `http://127.0.0.1:${proxy.port}`;
    for (const host of ["localhost", "127.0.0.1"]) {
      await system.startClient({
        id: `direct-${host}`,
        server: `https://${host}:${system.port}`,
        env: { TLS_CA: authority.cert, HTTPS_PROXY: address, https_proxy: address, NO_PROXY: "" },
      });
    }
    expect(proxy.asked).toBe(0);
  });

  test("a key that everybody on the machine may read is told of, whose ever it is", async () => {
    const till = await authority.sign("exposed-till", "clientAuth");
    const shown = await authority.sign("exposed-server", "serverAuth");
    for (const { key } of [till, shown]) await chmod(key, 0o644);
    const sentence = (path: string) =>
      `everybody on this machine can read the secret in "${path}", run chmod 600 on it`;
    await using exposed = await System.start(
      { TLS_CERT: shown.cert, TLS_KEY: shown.key, TLS_CLIENT_CA: authority.cert },
      { tls: { ca: authority.cert, ...till } },
    );
    const env = {
      TLS_CA: authority.cert,
      TLS_CLIENT_CERT: till.cert,
      TLS_CLIENT_KEY: till.key,
    };
    const client = await exposed.startClient({ env });
    const { stderr } = await runProgram(exposed, ["fds", "health"], { env });
    expect(stderr).toBe(`warning: ${sentence(till.key)}\n`);
    const warned = (program: Program) =>
      program.log().flatMap(({ level, message }) => (level === "warn" ? [message] : []));
    expect(warned(exposed.server)).toEqual([sentence(shown.key)]);
    expect(warned(client)).toEqual([sentence(till.key)]);

    client.signal("SIGTERM");
    await client.ended();
    await chmod(join(exposed.folder, "site-1/key"), 0o644);
    await client.restart();
    expect(warned(client)).toEqual([sentence("site-1/key"), sentence(till.key)]);
  });

  test("where clients must show a certificate, one without is not even heard", async () => {
    const client = await authority.sign("till", "clientAuth");
    const stranger = await Authority.make(folder, "another-authority");
    const forged = await stranger.sign("forged", "clientAuth");
    await using strict = await System.start(
      { TLS_CERT: own.cert, TLS_KEY: own.key, TLS_CLIENT_CA: authority.cert },
      { tls: { ca: authority.cert, ...client } },
    );
    const env = { TLS_CA: authority.cert };
    await strict.startClient({
      id: "shows",
      env: { ...env, TLS_CLIENT_CERT: client.cert, TLS_CLIENT_KEY: client.key },
    });
    const wanted = await writeRandom(strict.source("c.bin"), 1_000_000);
    await strict.expectDelivered(await strict.ended(await strict.pull("c.bin", "shows")), wanted);
    for (const shown of [{}, { TLS_CLIENT_CERT: forged.cert, TLS_CLIENT_KEY: forged.key }]) {
      const answer = fetch(`${strict.url}/health`, {
        tls: {
          ca: Bun.file(authority.cert),
          ...(shown.TLS_CLIENT_CERT && {
            cert: Bun.file(shown.TLS_CLIENT_CERT),
            key: Bun.file(shown.TLS_CLIENT_KEY),
          }),
        },
      });
      expect(
        await answer.then(
          ({ status }) => status,
          () => "no answer",
        ),
      ).toBe("no answer");
    }
  });
});
