import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";

/**
 * Who this program runs as; the client may run as somebody else, who may see less. The runtime
 * believes the environment, which services do not have.
 */
export async function userName(): Promise<string> {
  const id = process.getuid?.();
  if (id === undefined) return userInfo().username;
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  const name = users
    .split("\n")
    .map((line) => line.split(":"))
    .find(([, , number]) => number === String(id))?.[0];
  return name ?? `user ${id}`;
}
