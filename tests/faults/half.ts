import { join } from "node:path";
import { rowsOf } from "../support/rows.ts";
import { waitFor } from "../support/wait.ts";
import type { Stage } from "./stage.ts";

/** A download that stands still in its middle, until the proxy is told to release "up". */
export interface Half {
  downloadId: string;
  /** Its part file. */
  part: string;
}

/** Pulls the stage's file up to its middle, at least 1 MiB of it. */
export async function pullHalf({ system, proxy, wanted }: Stage): Promise<Half> {
  const held = proxy.after("up", Math.floor(wanted.size / 2), () => proxy.hold("up"));
  const downloadId = await system.pull("file");
  await held;
  await waitFor(async () => {
    const { bytes_received } = await system.api.download(downloadId);
    return bytes_received > 0 && rowsOf(system).get(downloadId)?.safe_offset === bytes_received;
  }, "all that came to be safe");
  return { downloadId, part: join(system.serverFolder, "parts", `${downloadId}.part`) };
}
