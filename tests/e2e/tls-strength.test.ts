import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, type Certificate, openssl } from "../support/certificates.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { spawn } from "../support/spawn.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * The server refuses weak TLS. OpenSSL connects with weak settings to our server, and to a lax server of its
 * own. The lax one accepts them, so a refusal is due to our server.
 */

const WEAK = {
  "TLS 1.0": ["-tls1"],
  "TLS 1.1": ["-tls1_1"],
  "CBC with SHA-1": ["-tls1_2", "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA"],
  "CBC with SHA-256": ["-tls1_2", "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256"],
  "RSA without forward secrecy": ["-tls1_2", "AES128-GCM-SHA256:AES256-SHA"],
  "no encryption": ["-tls1_2", "eNULL"],
  "no certificate": ["-tls1_2", "aNULL"],
};

const STRONG = {
  "TLS 1.3": ["-tls1_3"],
  "TLS 1.2 with AES": ["-tls1_2", "ECDHE+AESGCM"],
  "TLS 1.2 with ChaCha20": ["-tls1_2", "ECDHE+CHACHA20"],
};

/** Reports whether a TLS connection succeeds with this version and these ciphers. */
async function connects(port: number, [version = "", ciphers = "ALL:eNULL"]: string[]) {
  const address = ["-connect", `127.0.0.1:${port}`];
  const args = ["s_client", ...address, version, "-cipher", `${ciphers}:@SECLEVEL=0`];
  const child = spawn(["openssl", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [told, problem] = [await child.stdout.text(), await child.stderr.text()];
  if (!told.includes("CONNECTED")) throw new Error(`no connection at all: ${problem}`);
  return (await child.exited) === 0 && !/Cipher is \(NONE\)/.test(told);
}

/** Starts OpenSSL's own server, with all TLS versions and ciphers that it knows. */
async function startLaxServer({ cert, key }: Certificate) {
  const args = ["s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, "-www"];
  const lax = ["-cipher", "ALL:eNULL:aNULL:@SECLEVEL=0", "-min_protocol", "TLSv1"];
  const child = spawn(["openssl", ...args, ...lax], { stdio: ["ignore", "pipe", "ignore"] });
  let told = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of child.stdout) told += decoder.decode(bytes, { stream: true });
  })();
  const port = Number(
    await waitFor(() => /ACCEPT \S+:(\d+)/.exec(told)?.[1], "s_server to listen"),
  );
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill();
      await reading;
    },
  };
}

describe.skipIf(!openssl.isThere)(
  openssl.isThere ? "over TLS" : `over TLS (${openssl.hint})`,
  () => {
    describe.each(["ec", "rsa"] as const)("with a key of %s", (algorithm) => {
      let folder: string;
      let system: System;
      let lax: Awaited<ReturnType<typeof startLaxServer>>;

      beforeAll(async () => {
        folder = await mkdtemp(join(tmpdir(), "fds-tls-strength-"));
        const authority = await Authority.make(folder, "authority");
        const own = await authority.sign("server", "serverAuth", { algorithm });
        lax = await startLaxServer(own);
        system = await System.start(
          { TLS_CERT: own.cert, TLS_KEY: own.key },
          { tls: { ca: authority.cert } },
        );
      });
      afterAll(async () => {
        await system?.[Symbol.asyncDispose]();
        await lax?.[Symbol.asyncDispose]();
        await rm(folder, { recursive: true, force: true });
      });

      test.each(Object.entries(STRONG))("%s is taken", async (_, what) => {
        expect(await connects(system.port, what)).toBe(true);
      });

      test.each(Object.entries(WEAK))("%s is refused", async (name, what) => {
        expect(await connects(system.port, what)).toBe(false);
        // RSA key exchange needs an RSA key, so even the lax server refuses it with a key of another kind.
        const needsRsa = name.startsWith("RSA");
        expect(await connects(lax.port, what)).toBe(algorithm === "rsa" || !needsRsa);
      });
    });
  },
);
