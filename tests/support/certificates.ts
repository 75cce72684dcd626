import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pinOf } from "../../lib/client/server-identity.ts";
import { spawn } from "./spawn.ts";

/** Whether openssl is installed, and the hint for the names of tests that are skipped without it. */
export const openssl = {
  isThere: Bun.which("openssl") !== null,
  hint: "needs openssl: apt-get install openssl",
};

/** A host name that DNS does not know. Only the proxy of a test resolves it. */
export const FAR_NAME = "files.fds.test";

/** Paths of the PEM files of a certificate and its private key. */
export interface Certificate {
  cert: string;
  key: string;
}

export interface SignOptions {
  algorithm?: "ec" | "rsa";
  curve?: string;
  /** How many days ago the certificate was issued. Needs `faketime`. */
  daysAgo?: number;
  /** The subjectAltName. By default 127.0.0.1, localhost and {@link FAR_NAME}. */
  names?: string;
}

/** A certificate authority whose files are in a folder of the test. */
export class Authority {
  private constructor(
    private readonly folder: string,
    readonly name: string,
  ) {}

  static async make(folder: string, name: string): Promise<Authority> {
    const authority = new Authority(folder, name);
    await run(
      "req",
      "-x509",
      ...ecKey(),
      "-keyout",
      authority.path("key"),
      "-out",
      authority.cert,
      ...["-days", "2", "-subj", `/CN=${name}`],
    );
    return authority;
  }

  get cert(): string {
    return this.path("crt");
  }

  /** Issues a certificate for a server or a client, valid for two days. */
  async sign(
    name: string,
    use: "serverAuth" | "clientAuth",
    {
      algorithm = "ec",
      curve = "prime256v1",
      daysAgo = 0,
      names = `DNS:localhost,DNS:${FAR_NAME},IP:127.0.0.1`,
    }: SignOptions = {},
  ): Promise<Certificate> {
    const newKey = algorithm === "ec" ? ecKey(curve) : ["-newkey", "rsa:2048", "-nodes"];
    const made = { cert: join(this.folder, `${name}.crt`), key: join(this.folder, `${name}.key`) };
    const at = daysAgo === 0 ? [] : ["faketime", "-f", `-${daysAgo}d`];
    await runAt(
      at,
      ...["req", "-x509", ...newKey, "-keyout", made.key, "-out", made.cert, "-days", "2"],
      ...["-subj", `/CN=${name}`, "-CA", this.cert, "-CAkey", this.path("key")],
      ...["-addext", `subjectAltName=${names}`],
      ...["-addext", `extendedKeyUsage=${use}`, "-addext", "basicConstraints=critical,CA:FALSE"],
    );
    return made;
  }

  private path(suffix: string): string {
    return join(this.folder, `${this.name}.${suffix}`);
  }
}

function ecKey(curve = "prime256v1"): string[] {
  return ["-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${curve}`, "-nodes"];
}

/** Returns the pin of a certificate's public key, in the form that the setting TLS_PIN takes. */
export async function pinOfFile(cert: string): Promise<string> {
  return pinOf(new X509Certificate(await readFile(cert)));
}

function run(...args: string[]): Promise<void> {
  return runAt([], ...args);
}

async function runAt(clock: string[], ...args: string[]): Promise<void> {
  const child = spawn([...clock, "openssl", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const problem = await child.stderr.text();
  if ((await child.exited) !== 0) throw new Error(`openssl ${args[0]} failed: ${problem}`);
}
