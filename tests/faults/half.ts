import { join } from "node:path";
import { rowsOf } from "../support/rows.ts";
import { waitFor } from "../support/wait.ts";
import type { Stage } from "./stage.ts";

/** A download that is stopped in its middle, until the test releases the proxy's direction "up". */
export interface Half {
  downloadId: string;
  /** Path of the download's part file. */
  part: string;
}

/**
 * Starts a download of the stage's file, stops it in the middle, and waits until all bytes received are
 * durable. The file must have at least 2 MiB.
 */
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
