import type { Storage } from "../storage/storage.ts";
import type { Repository } from "./repository.ts";

/**
 * Marks a storage as that of a database. Servers of two databases would remove each other's parts.
 * @throws Error when the storage is another database's
 */
export async function takeStorage(
  storage: Pick<Storage, "claim">,
  repository: Pick<Repository, "identity">,
): Promise<void> {
  if (await storage.claim(await repository.identity())) return;
  throw new Error(
    "the storage belongs to another database: give this one a STORAGE_URL of its own, or remove .server/database from the storage if that database is gone for good",
  );
}
