import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import type { Part } from "../storage/storage.ts";
import { broken } from "./incoming-attempt.ts";

/** Bytes that are read at a time. */
const BLOCK = 1024 * 1024;

/** Hashes the first bytes of a part. @throws FdsError `protocol_error` where it has fewer */
export async function hashPart(part: Part, length: number, hash: Bun.CryptoHasher): Promise<void> {
  for (let at = 0; at < length;) {
    const block = await part.read(at, Math.min(BLOCK, length - at));
    if (block.length === 0) throw broken("a file of the set became shorter");
    await eventLoopBudget.run(() => hash.update(block));
    at += block.length;
  }
}
