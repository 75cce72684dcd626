import { join } from "node:path";
import { ApiClient } from "../rest/api-client.ts";
import { UnreachableError } from "../rest/api-errors.ts";
import type { ServerConnection } from "../rest/transport.ts";
import { CHECKSUMS_FILE } from "../checksums.ts";
import { DOWNLOADS } from "../demo/programs.ts";
import { findKeptDemos } from "../rest/kept-demo.ts";
import type { Target } from "./guide.ts";

export interface TargetOptions {
  /** The server named by flags or the environment, or else the default server. */
  connection: ServerConnection;
  /** Whether the user named the server. If so, no other server may be used. */
  isNamed: boolean;
  /** The folder of downloads of the server in `connection`, as a path on this machine. */
  downloadsDir: string;
  /** The folder that contains the folders of all demos. */
  demos: string;
}

/**
 * Finds the server to work with: the server of `connection`. If that server does not respond and the user did
 * not name one, it is the server of the latest demo whose server responds, if there is one.
 * @throws the reason of `signal` when `signal` is aborted
 */
export async function findTarget(
  { connection, isNamed, downloadsDir, demos }: TargetOptions,
  signal: AbortSignal,
): Promise<Target> {
  const api = new ApiClient(connection);
  const { server } = connection;
  const defaultTarget: Target = {
    api,
    server,
    downloadsDir,
    checksumsFile: CHECKSUMS_FILE,
    demo: null,
  };
  if (isNamed || (await answers(api, signal))) return defaultTarget;
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
  return defaultTarget;
}

/** Reports whether a server responds. An error response counts, too. */
async function answers(api: ApiClient, signal: AbortSignal): Promise<boolean> {
  try {
    await api.health(signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    return !(error instanceof UnreachableError);
  }
}
