import { join } from "node:path";
import { rowsOf } from "../support/rows.ts";
import { waitFor } from "../support/wait.ts";
import type { Stage } from "./stage.ts";

/** A download of which some bytes are safe; no more come until the proxy releases "up". */
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
  await waitFor(
    () => (rowsOf(system).get(downloadId)?.safe_offset ?? 0) > 0,
    "something to be safe",
  );
  return { downloadId, part: join(system.serverFolder, "parts", `${downloadId}.part`) };
}
