import { MemoryStorage } from "../../support/memory-storage.ts";
import { setsContract } from "./sets.contract.ts";
import { storageContract } from "./storage.contract.ts";

/* The storage in memory, which other tests use, passes the tests of every storage. */

async function temporaryStorage() {
  return { storage: new MemoryStorage(), [Symbol.asyncDispose]: async () => undefined };
}

storageContract("memory", temporaryStorage);
setsContract("memory", temporaryStorage);
