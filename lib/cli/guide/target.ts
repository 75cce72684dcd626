import { join } from "node:path";
import { ApiClient } from "../rest/api-client.ts";
import { UnreachableError } from "../rest/api-errors.ts";
import type { ServerConnection } from "../rest/transport.ts";
import { CHECKSUMS_FILE } from "../checksums.ts";
import { DOWNLOADS } from "../demo/programs.ts";
import { findKeptDemos } from "../rest/kept-demo.ts";
import type { Target } from "./guide.ts";

export interface TargetOptions {
  /** The server of the settings. */
  connection: ServerConnection;
  /** True where a person named the server, so that no other may be used. */
  isNamed: boolean;
  /** Its folder of downloads. */
  downloadsDir: string;
  /** The folder that holds the demos' folders. */
  demos: string;
}

/**
 * Finds the server to work with: the one of the settings; if that does not answer and nobody named it, that
 * of the latest demo that runs on this machine.
 * @throws the reason of `signal` when it is aborted
 */
export async function findTarget(
  { connection, isNamed, downloadsDir, demos }: TargetOptions,
  signal: AbortSignal,
): Promise<Target> {
  const api = new ApiClient(connection);
  const { server } = connection;
  const own: Target = { api, server, downloadsDir, checksumsFile: CHECKSUMS_FILE, demo: null };
  if (isNamed || (await answers(api, signal))) return own;
  for (const { folder, ...demo } of await findKeptDemos(demos)) {
    const demoApi = new ApiClient(demo);
    if (!(await answers(demoApi, signal))) continue;
    return {
      api: demoApi,
      server: demo.server,
      downloadsDir: join(folder, DOWNLOADS),
      checksumsFile: join(folder, CHECKSUMS_FILE),
      demo: folder,
    };
  }
  return own;
}

/** False where nothing answers. An error is an answer, too. */
async function answers(api: ApiClient, signal: AbortSignal): Promise<boolean> {
  try {
    await api.health(signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    return !(error instanceof UnreachableError);
  }
}
