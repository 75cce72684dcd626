import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readServerConfig } from "../../lib/server/config.ts";
import { UsageError } from "../../lib/util/flags.ts";

/** A temporary folder with an empty file. */
export let folder: string;
/** Path of the empty file, used as a certificate or key. */
export let pem: string;

/** Returns the error message with which the server refuses settings. @throws Error if it accepts them */
export function mistake(argv: string[], env: Record<string, string>): string {
  try {
    readServerConfig(argv, env, false);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error instanceof Error ? error.message : "";
  }
  throw new Error("the settings were taken");
}

/** Makes an empty file that stands for a certificate, before the tests of a file. */
export function useCertificate(): void {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-server-config-"));
    pem = join(folder, "file.pem");
    await writeFile(pem, "");
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));
}
