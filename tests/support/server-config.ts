import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readServerConfig } from "../../lib/server/config.ts";
import { UsageError } from "../../lib/util/flags.ts";

/** A folder with an empty file. */
export let folder: string;
/** The path of that file. */
export let pem: string;

/** The words with which settings are refused. */
export function mistake(argv: string[], env: Record<string, string>): string {
  try {
    readServerConfig(argv, env, false);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error instanceof Error ? error.message : "";
  }
  throw new Error("the settings were taken");
}

/** Makes a file that may stand for a certificate, before the tests of a file. */
export function useCertificate(): void {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-server-config-"));
    pem = join(folder, "file.pem");
    await writeFile(pem, "");
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));
}
