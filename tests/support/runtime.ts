import { scripts } from "../../package.json";

/** What `bun run NAME` puts into the environment of the runtime: what stands before the command. */
export function runtimeEnvironment(name: "server" | "client"): Record<string, string> {
  const words = scripts[name].split(" ");
  const settings = words.slice(0, words.indexOf("bun")).map((word) => word.split("=", 2));
  return Object.fromEntries(settings);
}
