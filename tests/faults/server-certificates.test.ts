import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { Authority, openssl } from "../support/certificates.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 52 of the fault table: a server reloads its certificate on SIGHUP while the files are still being
 * written. It must go on with the old certificate.
 */

const canRun = openssl.isThere && process.platform !== "win32";
const named = `row 52: a reload (${openssl.isThere ? "needs POSIX" : openssl.hint})`;

/** Contents of the PEM files. Null: the file does not exist. */
interface Pem {
  cert: string | null;
  key: string | null;
  ca: string | null;
}

describe.skipIf(!canRun)(canRun ? "row 52: a reload" : named, () => {
  let folder: string;
  let authority: Authority;
  let system: System;
  /**
   * Contents of the PEM files: the initial ones, new valid ones, and some with a key type that the server
   * cannot use.
   */
  let [old, fresh, odd]: Pem[] = [];

  const path = (name: string) => join(folder, name);
  async function use({ cert, key, ca }: Pem): Promise<void> {
    for (const [name, text] of Object.entries({ crt: cert, key, ca })) {
      await rm(path(`used.${name}`), { force: true });
      if (text !== null) await Bun.write(path(`used.${name}`), text);
    }
  }

  async function make(name: string, curve?: string): Promise<Pem> {
    const { cert, key } = await authority.sign(name, "serverAuth", { curve });
    const [a, b, ca] = await Promise.all(
      [cert, key, authority.cert].map((file) => Bun.file(file).text()),
    );
    return { cert: a!, key: b!, ca: ca! };
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-reload-"));
    authority = await Authority.make(folder, "authority");
    [old, fresh, odd] = [await make("old"), await make("fresh"), await make("odd", "secp256k1")];
    await use(old);
    const client = await authority.sign("till", "clientAuth");
    const files = { TLS_CERT: "used.crt", TLS_KEY: "used.key", TLS_CLIENT_CA: "used.ca" };
    const env = Object.entries(files).map(([name, file]) => [name, path(file)]);
    system = await System.start(Object.fromEntries(env), {
      tls: { ca: authority.cert, ...client },
    });
    await system.startClient({
      env: {
        TLS_CA: authority.cert,
        TLS_CLIENT_CERT: client.cert,
        TLS_CLIENT_KEY: client.key,
      },
    });
  });
  afterAll(async () => {
    await system?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** Returns the common name in the certificate that the server shows to a new connection. */
  const shown = () =>
    new Promise<string>((resolve, reject) => {
      const options = { host: "127.0.0.1", port: system.port, rejectUnauthorized: false };
      const socket = connect(options, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      }).on("error", reject);
    });

  const half = (text: string | null) => text!.slice(0, text!.length / 2);
  const FAULTS: [string, () => Partial<Pem>][] = [
    ["no certificate", () => ({ cert: null })],
    ["no key", () => ({ key: null })],
    ["no CA", () => ({ ca: null })],
    ["both files empty", () => ({ cert: "", key: "" })],
    ["an empty certificate", () => ({ cert: "" })],
    ["an empty key", () => ({ key: "" })],
    ["half a certificate", () => ({ cert: half(fresh!.cert) })],
    ["half a key", () => ({ key: half(fresh!.key) })],
    ["half a chain", () => ({ cert: fresh!.cert + half(old!.cert) })],
    ["the old key with the new certificate", () => ({ key: old!.key })],
    ["a key of a kind that nobody takes", () => odd!],
    ["a certificate that is still to come", () => ({ cert: "\n# to come\n" })],
    ["an empty CA", () => ({ ca: "" })],
    ["half a CA", () => ({ ca: half(old!.ca) })],
    ["a CA, and half of another", () => ({ ca: old!.ca + half(fresh!.cert) })],
  ];
  const refusals = () =>
    system.server.log().filter(({ message }) => message.includes("the one before goes on"));

  test.each(FAULTS)("with %s changes nothing, and says why", async (_, fault) => {
    const before = refusals().length;
    await use({ ...fresh!, ...fault() });
    system.server.signal("SIGHUP");
    await waitFor(() => refusals().length > before, "the server to say why");
    expect(refusals().at(-1)!.message).toMatch(
      /^not reloaded: .*check the PEM files ".*used\.crt".*: they cannot be used \(.+\); the one before/,
    );
    expect(await shown()).toBe("old");
    // The connected client stays connected, and this call shows that new connections work.
    expect((await system.api.health()).connected_clients).toBe(1);
  });

  test("that failed is made good as soon as the files are right", async () => {
    expect(await shown()).toBe("old");
    await use(fresh!);
    await system.server.waitForLine(/reloaded, at another try/);
    expect(await shown()).toBe("fresh");
    expect((await system.api.health()).connected_clients).toBe(1);
    expect(
      system.server.log().filter(({ message }) => /client disconnected/.test(message)),
    ).toEqual([]);
  });
});
