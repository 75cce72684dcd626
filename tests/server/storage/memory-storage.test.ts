import { MemoryStorage } from "../../support/memory-storage.ts";
import { setsContract } from "./sets.contract.ts";
import { storageContract } from "./storage.contract.ts";

/* The fake that other tests use does what every storage does. */

async function temporaryStorage() {
  return { storage: new MemoryStorage(), [Symbol.asyncDispose]: async () => undefined };
}

storageContract("memory", temporaryStorage);
setsContract("memory", temporaryStorage);
