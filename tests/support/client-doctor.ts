import { expect } from "bun:test";
import packageJson from "../../package.json";
import type { Certificate } from "./certificates.ts";
import { type Diagnosis, diagnose } from "./doctor.ts";
import { API_TOKEN, ENROLL_TOKEN, type System } from "./system.ts";

/** Password of a test's proxy. No output of the doctor may contain it. */
export const PROXY_PASSWORD = "a-password";

export interface SetUp {
  id?: string;
  server?: string;
  root?: string;
  stateDir?: string;
  env?: Record<string, string>;
  wrapper?: string[];
  flags?: string[];
}

/** Runs `client doctor` for a client of a system, and checks that its output contains no secret. */
export class ClientDoctor {
  constructor(private readonly system: System) {}

  async ask({
    id = "site-1",
    server = this.system.url,
    root = "root",
    stateDir = id,
    flags = [],
    ...how
  }: SetUp = {}): Promise<Diagnosis> {
    const places = ["--server", server, "--root", root, "--state-dir", stateDir];
    const found = await diagnose({
      program: "client.ts",
      folder: this.system.folder,
      flags: ["--id", id, ...places, ...flags],
      ...how,
    });
    for (const secret of [API_TOKEN, ENROLL_TOKEN, PROXY_PASSWORD]) {
      expect(found.text).not.toContain(secret);
    }
    return found;
  }

  /** Expects the check `name` to fail with a text that matches `words`, and no other check to fail. */
  async expectWrong(setUp: SetUp, name: string, words: RegExp): Promise<Diagnosis> {
    const found = await this.ask(setUp);
    expect(found.wrong).toEqual({ [name]: expect.stringMatching(words) });
    expect(found.exitCode).toBe(1);
    expect(found.text).toEndWith("\nOne thing is wrong.\n");
    return found;
  }
}

/**
 * Starts an HTTPS server that answers each request as a healthy server would, to test the doctor's TLS
 * checks.
 */
export async function serveOverTls(certificate: Certificate) {
  const tls = { cert: Bun.file(certificate.cert), key: Bun.file(certificate.key) };
  const health = { status: "healthy", version: packageJson.version };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls,
    fetch: () => Response.json(health),
  });
  const stop = () => server.stop(true);
  return { url: `https://localhost:${server.port}`, [Symbol.asyncDispose]: stop };
}
