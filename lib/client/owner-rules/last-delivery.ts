import { open } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { systemCode } from "../../util/system-error.ts";
import { LEFT_FILE } from "./request-log.ts";

/** Bytes at the end of the record that are read. A line has a path of 4 KiB at most. */
const LOOK_AT_BYTES = 256 * 1024;

const Line = z.object({
  time: z.iso.datetime(),
  outcome: z.literal("sent"),
  file_path: z.string(),
  bytes_sent: z.number(),
});

/** A file or a set that left the site. */
export type Delivery = Omit<z.infer<typeof Line>, "outcome">;

/**
 * The last file or set that left complete, from the site's own record.
 * @returns null where there is none, or none lately
 * @throws Error of the system where the record may not be read
 */
export async function lastDelivery(stateDir: string): Promise<Delivery | null> {
  for (const name of [LEFT_FILE, `${LEFT_FILE}.1`]) {
    const lines = (await endOf(join(stateDir, name))).split("\n").toReversed();
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
    // A line about something else, the rest of a cut line, or a line that a full disk cut off.
    return null;
  }
}

async function endOf(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    const length = Math.min(size, LOOK_AT_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString("utf8", 0, bytesRead);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw error;
  }
}
