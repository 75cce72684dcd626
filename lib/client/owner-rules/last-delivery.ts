import { open } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { systemCode } from "../../util/system-error.ts";
import { SENT_LOG_FILE } from "./request-log.ts";

/**
 * Bytes that are read from the end of the record of requests, enough for many lines with paths of up to 4
 * KiB.
 */
const TAIL_BYTES = 256 * 1024;

const Line = z.object({
  time: z.iso.datetime(),
  outcome: z.literal("sent"),
  // A listing of a folder has the action "browse". A single file has no action.
  action: z.literal("set").optional(),
  file_path: z.string(),
  bytes_sent: z.number(),
});

/** A file or a set that was sent to the server. */
export type Delivery = Omit<z.infer<typeof Line>, "outcome" | "action">;

/**
 * Returns the last file or set that was sent completely, according to the site's own record of requests.
 * @returns null if the last part of the record contains none
 * @throws Error of the system if the record cannot be read
 */
export async function lastDelivery(stateDir: string): Promise<Delivery | null> {
  for (const name of [SENT_LOG_FILE, `${SENT_LOG_FILE}.1`]) {
    const lines = (await readTail(join(stateDir, name))).split("\n").toReversed();
    for (const line of lines) {
      const delivery = deliveryOf(line);
      if (delivery) return delivery;
    }
  }
  return null;
}

function deliveryOf(line: string): Delivery | null {
  try {
    const { time, file_path, bytes_sent } = Line.parse(JSON.parse(line));
    return { time, file_path, bytes_sent };
  } catch {
    // The line does not record a file or set that was sent, or it is incomplete. The first line read can be
    // cut off, and so can a line that was written when the disk was full.
    return null;
  }
}

async function readTail(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString("utf8", 0, bytesRead);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw error;
  }
}
